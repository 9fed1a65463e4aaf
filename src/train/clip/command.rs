//! `maskgate-train clip`.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::{Company, Settings, shoot, stills, write};

#[derive(clap::Args)]
pub struct Args {
    /// CSV with a box and five landmarks for each face; pictures named PERSON_NN.jpg in the
    /// folder named like it
    #[arg(long)]
    faces: PathBuf,
    /// Motion JPEG to write
    #[arg(long, default_value = "models/demo.mjpg")]
    out: PathBuf,
    /// Ground truth of every frame to write, as JSON
    #[arg(long)]
    truth: Option<PathBuf>,
    /// Folder for single pictures to test with
    #[arg(long)]
    stills: Option<PathBuf>,
    /// The same seed gives the same clip
    #[arg(long, default_value_t = Settings::default().seed)]
    seed: u64,
    /// JPEG quality, 1 to 100
    #[arg(long, default_value_t = Settings::default().quality, value_parser = clap::value_parser!(u8).range(1..=100))]
    quality: u8,
}

/// Composes the faces, shoots the clip, writes what was asked for and says what it used.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let settings = Settings { seed: args.seed, quality: args.quality, ..Settings::default() };
    let company = Company::compose(&args.faces, settings.seed)
        .with_context(|| format!("composing faces from {}", args.faces.display()))?;
    let people = company.people();
    tell!(
        "{}: {} people, {} of them seen from the front; {} composed faces of {people:?} people",
        args.faces.display(),
        company.listed,
        company.frontal,
        people.len(),
    );
    if let Some(folder) = &args.stills {
        for (name, bytes) in stills(&company, &settings)? {
            put(&folder.join(format!("{name}.jpg")), &bytes)?;
        }
    }
    let clip = shoot(&company, &settings)?;
    tell!("seed {}, quality {}: {} frames", settings.seed, settings.quality, clip.frames());
    put(&args.out, clip.bytes())?;
    if let Some(path) = &args.truth {
        put(path, clip.truth.json()?.as_bytes())?;
    }
    Ok(())
}

fn put(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    write(path, bytes)?;
    tell!("{}: {} bytes", path.display(), bytes.len());
    Ok(())
}
