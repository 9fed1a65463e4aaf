//! Which faces are learned from and which are kept to judge: by picture, copies (mirrored ones too) and
//! pictures of one person on one side, the same for the same seed. A picture keeps its side when others join or
//! leave, but for the few that a fifth more or less is made up with.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::{Fingerprint, Sample};
use crate::train::random::{Random, hash_of};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Train,
    Validation,
}

/// The side of each sample, in their order.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    pub sides: Vec<Side>,
    /// Groups of pictures that were kept together.
    pub groups: usize,
}

/// Puts a fifth of the faces of every origin and label on the validation side, as near as whole
/// groups allow; less where pictures have mirrored copies, which are learned from if any of them is.
/// `fingerprints` holds two for each picture, of it and of it mirrored; `faces` those of the samples'
/// faces alone.
pub fn split(
    samples: &[Sample],
    fingerprints: &HashMap<PathBuf, [Fingerprint; 2]>,
    faces: &[Fingerprint],
    seed: u64,
) -> Split {
    let group_of = group(samples, fingerprints, faces);
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (sample, group) in group_of.iter().enumerate() {
        members.entry(*group).or_default().push(sample);
    }
    // A group has the lot of its first picture by name; the lowest lot of all would send large groups
    // to validation.
    let name = |sample: &usize| end_of(&samples[*sample].path);
    let mut groups: Vec<Vec<usize>> = members.into_values().collect();
    let count = groups.len();
    groups.sort_by_cached_key(|group| group.iter().map(name).min().map(|name| lot(seed, name)));

    let stratum = |sample: usize| (samples[sample].origin, samples[sample].label);
    let mut total: HashMap<_, usize> = HashMap::new();
    for sample in 0..samples.len() {
        *total.entry(stratum(sample)).or_default() += 1;
    }
    let mut taken: HashMap<_, usize> = HashMap::new();
    let mut sides = vec![Side::Train; samples.len()];
    for group in groups {
        // A group goes to validation while the stratum of its rarest face is short of its fifth.
        let rarest = group.iter().map(|s| stratum(*s)).min_by_key(|s| (total[s], *s));
        let Some(rarest) = rarest else { continue };
        let have = taken.get(&rarest).copied().unwrap_or(0);
        let adds = group.iter().filter(|s| stratum(**s) == rarest).count();
        if have + adds <= total[&rarest].div_ceil(5) {
            for sample in group {
                *taken.entry(stratum(sample)).or_default() += 1;
                sides[sample] = Side::Validation;
            }
        }
    }
    learn_mirrored(samples, fingerprints, &group_of, &mut sides);
    Split { sides, groups: count }
}

/// Takes from the validation side what is, mirrored, learned from: every view that training draws is
/// mirrored half of the time. Not a matter of groups, so that what a network was trained on before
/// mirrored copies were told is still all on its side.
fn learn_mirrored(
    samples: &[Sample],
    fingerprints: &HashMap<PathBuf, [Fingerprint; 2]>,
    groups: &[usize],
    sides: &mut [Side],
) {
    let pictures: BTreeMap<&PathBuf, usize> =
        samples.iter().zip(groups).map(|(sample, group)| (&sample.path, *group)).collect();
    let prints: Vec<(usize, &[Fingerprint; 2])> = pictures
        .into_iter()
        .filter_map(|(path, group)| Some((group, fingerprints.get(path)?)))
        .collect();
    let mut sets = Sets::new(samples.len());
    for (at, (a, [print, _])) in prints.iter().enumerate() {
        for (b, [upright, mirrored]) in &prints[at + 1..] {
            let near = |other: &Fingerprint| print.distance(other) <= Fingerprint::NEAR;
            // What is near either way is a symmetric hall that one camera sees.
            if a != b && near(mirrored) && !near(upright) {
                sets.join(*a, *b);
            }
        }
    }
    let mut learned = HashSet::new();
    for (group, side) in groups.iter().zip(sides.iter()) {
        if *side == Side::Train {
            learned.insert(sets.root(*group));
        }
    }
    for (group, side) in groups.iter().zip(sides) {
        if learned.contains(&sets.root(*group)) {
            *side = Side::Train;
        }
    }
}

/// A picture's folder and name, which do not hang on where the data lies.
fn end_of(path: &Path) -> [&[u8]; 2] {
    let mut ends = path.iter().rev().map(|part| part.as_encoded_bytes());
    let (name, folder) = (ends.next().unwrap_or_default(), ends.next().unwrap_or_default());
    [folder, name]
}

/// A place in the order in which groups go to validation, drawn for a picture's folder and name, so that
/// it hangs on no other picture.
fn lot(seed: u64, [folder, name]: [&[u8]; 2]) -> u64 {
    let hash = hash_of(folder.iter().chain(b"/").chain(name).copied());
    Random::new(seed).stream(hash).bits()
}

/// For each sample the number of its group.
fn group(
    samples: &[Sample],
    fingerprints: &HashMap<PathBuf, [Fingerprint; 2]>,
    faces: &[Fingerprint],
) -> Vec<usize> {
    let mut pictures: BTreeMap<&PathBuf, usize> = BTreeMap::new();
    for sample in samples {
        let next = pictures.len();
        pictures.entry(&sample.path).or_insert(next);
    }
    let prints: Vec<(usize, Fingerprint)> = pictures
        .iter()
        .filter_map(|(path, index)| Some((*index, fingerprints.get(*path)?[0])))
        .collect();
    let mut copies = Sets::new(pictures.len());
    join_near(&mut copies, &prints);
    let views = one_view(samples, |sample| copies.root(pictures[&sample.path]));
    let mut sets = Sets::new(pictures.len());
    let mut by_view: BTreeMap<usize, Vec<(usize, Fingerprint)>> = BTreeMap::new();
    for (at, sample) in samples.iter().enumerate() {
        let picture = pictures[&sample.path];
        let root = copies.root(picture);
        match faces.get(at) {
            Some(face) if views.contains(&root) => {
                by_view.entry(root).or_default().push((picture, *face));
            }
            _ => sets.join(root, picture),
        }
    }
    by_view.values().for_each(|faces| join_near(&mut sets, faces));
    let mut people: HashMap<&str, usize> = HashMap::new();
    for sample in samples {
        if let Some(person) = &sample.person {
            let picture = pictures[&sample.path];
            let first = *people.entry(person).or_insert(picture);
            sets.join(first, picture);
        }
    }
    samples.iter().map(|sample| sets.root(pictures[&sample.path])).collect()
}

/// Joins the pictures whose fingerprints are near.
fn join_near(sets: &mut Sets, prints: &[(usize, Fingerprint)]) {
    for (at, (a, print)) in prints.iter().enumerate() {
        for (b, other) in &prints[at + 1..] {
            if print.distance(other) <= Fingerprint::NEAR {
                sets.join(*a, *b);
            }
        }
    }
}

/// The sets of copies that hold more than a fifth of a source, by `set`: what a camera sees that does not
/// move. Nothing of it could be judged on; not the pictures but the faces in them tell what is a copy.
fn one_view(samples: &[Sample], mut set: impl FnMut(&Sample) -> usize) -> HashSet<usize> {
    let mut all: HashMap<usize, usize> = HashMap::new();
    let mut parts: HashMap<(usize, usize), usize> = HashMap::new();
    for sample in samples {
        *all.entry(sample.origin).or_default() += 1;
        *parts.entry((set(sample), sample.origin)).or_default() += 1;
    }
    let large = parts.into_iter().filter(|((_, origin), part)| part * 5 > all[origin]);
    large.map(|((set, _), _)| set).collect()
}

/// Disjoint sets.
struct Sets {
    parents: Vec<usize>,
}

impl Sets {
    fn new(count: usize) -> Self {
        Self { parents: (0..count).collect() }
    }

    fn root(&mut self, mut item: usize) -> usize {
        while self.parents[item] != item {
            self.parents[item] = self.parents[self.parents[item]];
            item = self.parents[item];
        }
        item
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.parents[a.max(b)] = a.min(b);
    }
}
