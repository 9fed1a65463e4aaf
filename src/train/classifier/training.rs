//! One training from its options to the model and its figures.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;

use burn::module::Module;
use burn::tensor::Device;
use serde_json::json;

use super::watch::Watcher;
use super::{Args, ClassifierError, faces, ship};
use crate::picture::{Label, Probabilities};
use crate::train::dashboard::Dashboard;
use crate::train::data::{Crops, Cut, Drawing, Loader, Sides, Teacher, wearers};
use crate::train::fit::{self, Checkpoint, Fit, Fitted, Saved};
use crate::train::history::History;
use crate::train::layers::Layout;
use crate::train::network::{self, Freeze, Network, NetworkConfig};
use crate::train::parameters;
use crate::train::progress::Meter;
use crate::train::report::{Report, write_pages};
use crate::train::synthesise;
use crate::train::weights::Published;
use crate::vision::model::ModelFile;

/// Views on which statistics are measured that a published file lacks.
const MEASURED: usize = 96;

/// Refuses drawing where no face can be drawn on, and tells on how many it can be.
fn check_drawing(drawing: &Drawing, crops: &Crops) -> Result<(), ClassifierError> {
    let none = Drawing::default();
    // Each by itself: a mask is drawn on bare faces alone, glasses on masked ones too.
    let wanted = [
        ("drawn", Drawing { masks: drawing.masks, ..none.clone() }),
        ("beards", Drawing { beards: drawing.beards, ..none.clone() }),
        ("scarves", Drawing { scarves: drawing.scarves, ..none.clone() }),
        ("glasses", Drawing { glasses: drawing.glasses, ..none.clone() }),
        ("hands", Drawing { hands: drawing.hands, ..none.clone() }),
    ];
    if wanted.iter().all(|(_, alone)| *alone == none) {
        return Ok(());
    }
    let faces = crops.train.len();
    let undrawn = |alone: &Drawing| *alone != none && alone.usable(&crops.train) == 0;
    if let Some((option, _)) = wanted.into_iter().find(|(_, alone)| undrawn(alone)) {
        let why = "none can be drawn on: it takes landmarks, of a CSV or of --detector with a model \
                   that finds them";
        return Err(ClassifierError::Undrawn { option, faces, why });
    }
    let usable = drawing.usable(&crops.train);
    if drawing.worn > 0.0 && wearers(&crops.train, drawing).is_empty() {
        let why = "none wears a mask that is known well enough to be worn by others: it takes \
                   landmarks, and 40 px of width";
        return Err(ClassifierError::Undrawn { option: "worn", faces, why });
    }
    note!("{usable} of {faces} faces to learn from can be drawn on");
    Ok(())
}

/// Trains, checks the written model against the trained one, writes it and its figures.
pub fn train(options: &Args) -> Result<Report, ClassifierError> {
    options.check()?;
    let device = options.device.open()?.autodiff();
    if let Some(path) = &options.report {
        ship::try_out(&path.join("report.json"))?;
    }
    ship::try_out(&options.out)?;
    let checkpoint = Checkpoint::claim(&options.checkpoint)?;
    let published = Published::mean(&options.weights, options.network)?;
    let layout = published.as_ref().map_or(Layout::Keras, |file| file.layout);
    let build = |classes: usize| -> Result<(NetworkConfig, Network), ClassifierError> {
        device.seed(options.data.seed);
        let config = options.network(layout, classes);
        let network = config.init(&device);
        let network = match &published {
            Some(file) => file.put(network)?,
            None => network,
        };
        Ok((config, network))
    };
    // What cannot work is told before the data is read.
    let (mut config, mut network) = build(Label::ALL.len())?;
    check_freeze(options, &network)?;
    let teacher = options.teacher.as_deref().map(Teacher::open).transpose()?.map(Arc::new);

    let hands = options.hand_outlines.as_deref().map(synthesise::hands).transpose();
    let mut hands = hands.map_err(ClassifierError::Hands)?.unwrap_or_default();

    let crops = faces::crops(&options.data, options.input, Sides::Train)?;
    synthesise::leave_judged(&mut hands, crops.validation.iter().map(|cut| cut.path.as_path()));
    let classes = faces::classes(&crops)?;
    let counts = Label::ALL.map(|label| faces::count(&crops, label));
    for (label, count) in Label::ALL.into_iter().zip(counts) {
        match count {
            0 => note!("{label}: no faces; the model will not know it"),
            _ => note!("{label}: {count} faces to learn from"),
        }
    }
    if classes.len() != config.classes {
        (config, network) = build(classes.len())?;
    }
    if let Some(file) = &published {
        let (filled, whole) = file.put_head(network, &classes);
        network = filled;
        note!("weights: {}", if whole { "with their head" } else { "the head starts anew" });
        if options.epochs == 0 && !whole {
            let allowed = "1 or more, where the head starts anew".into();
            return Err(ClassifierError::Option { option: "epochs", value: "0".into(), allowed });
        }
    }
    tell_size(options, &config, &network)?;

    if let Some(teacher) = teacher.as_ref().filter(|teacher| teacher.labels() != classes) {
        return Err(ClassifierError::Teacher {
            name: teacher.name().to_owned(),
            knows: names(&teacher.labels()),
            wanted: names(&classes),
        });
    }
    if options.incorrect_offset != 0.0 && !classes.contains(&Label::IncorrectMask) {
        let (option, value) = ("incorrect-offset", options.incorrect_offset.to_string());
        let allowed = "possible where no face is of incorrect_mask".into();
        return Err(ClassifierError::Option { option, value, allowed });
    }
    let mut fit = options.fit(classes, counts, teacher);
    fit.views.drawing.cutouts = hands.into();
    check_drawing(&fit.views.drawing, &crops)?;
    let settings = options.settings(&fit, &config, &crops)?;
    let Crops { train, validation, .. } = crops;
    let train = Arc::new(train);
    if published.as_ref().is_some_and(|file| file.folded) {
        network = measured(network, &fit, &train, &device);
    }
    let start = if options.resume {
        checkpoint.load(network, fit.optimiser(), &settings)?
    } else {
        Saved::fresh(network, fit.optimiser())
    };

    let sources = faces::sources(&options.data);
    let steps = train.len() / options.batch * (options.epochs - start.epochs.min(options.epochs));
    let mut watcher = Watcher {
        dashboard: dashboard(options, steps as u64),
        options,
        meter: Meter::new("step", steps as u64),
        history: History::open(&options.checkpoint, start.epochs),
        validation: &validation,
        sources: &sources,
        classes: &fit.classes,
        device: &device,
        last: None,
    };
    let fitted = fit.run(start, train, &device, &checkpoint, &settings, &mut watcher)?;
    let Watcher { meter, history, dashboard, .. } = watcher;
    drop(dashboard);
    meter.finish();
    tell_end(&fit, &fitted);

    let free = fit::judge(&fitted.network, &validation, &fit.classes, &device);
    let network = ship::as_written(&fitted.network)?;
    let answers = fit::judge(&network, &validation, &fit.classes, &device);
    let (agree, largest) = ship::compare(&free, &answers);
    note!("rounding: {agree} of {} labels stay, |Δp| ≤ {largest:.4}", answers.len());
    let temperature = ship::temperature(&validation, &answers);
    let Network { backbone, head } = fitted.network;
    let mut head = head.tempered(temperature);
    let low = fit.classes.iter().position(|label| *label == Label::IncorrectMask);
    if let Some(class) = low.filter(|_| options.incorrect_offset != 0.0) {
        head = head.with_offset(class, options.incorrect_offset);
    }
    let network = Network { backbone, head };
    let network = ship::as_written(&network)?;
    let answers = fit::judge(&network, &validation, &fit.classes, &device);
    let written = ship::write(&network, &fit.classes, &validation, &answers, temperature, options)?;
    note!("{written}");
    let file = ModelFile::open(&options.out, "", ("no classifier", &[]))?;
    let answers = ship::ask(&file, validation.iter())?;
    let report = Report::of(&validation, &answers, &sources);
    let figures = options.figures();
    let epoch = json!({ "written": fitted.epoch, "done": fitted.epochs, "best": fitted.best });
    let text = json!({
        "settings": settings,
        "epoch": epoch,
        "temperature": temperature,
        "validation": report,
    })
    .to_string();
    std::fs::write(&figures, text + "\n")
        .map_err(|source| ClassifierError::Unwritable { path: figures, source })?;
    if let Some(folder) = &options.report {
        pages(&report, &validation, &answers, &history, folder).map_err(ClassifierError::Pages)?;
    }
    Ok(report)
}

/// The network with the statistics that its published file lacks, measured on views of the faces.
fn measured(network: Network, fit: &Fit, train: &Arc<Vec<Cut>>, device: &Device) -> Network {
    let views = MEASURED.min(train.len());
    let batch =
        Loader::start(Arc::clone(train), fit.views.clone(), None, views, fit.seed, 0).next();
    let Some(batch) = batch else { return network };
    let pictures = fit.inputs(&batch, &device.clone().inner());
    let statistics = parameters::take(&network.valid().measured(pictures));
    parameters::put(network, &statistics).0
}

fn names(labels: &[Label]) -> String {
    labels.iter().map(|label| label.name()).collect::<Vec<_>>().join(",")
}

/// What was asked for, where it can be drawn.
fn dashboard(options: &Args, steps: u64) -> Option<Dashboard> {
    if !options.dashboard {
        return None;
    }
    // Where the cursor stands is asked for on standard output.
    if !std::io::stderr().is_terminal() || !std::io::stdout().is_terminal() {
        log::warn!(
            "--dashboard needs a terminal for what is told and for the figures; plain lines follow"
        );
        return None;
    }
    Dashboard::new(steps)
        .inspect_err(|error| log::warn!("--dashboard cannot draw here ({error}); a bar follows"))
        .ok()
}

fn check_freeze(options: &Args, network: &Network) -> Result<(), ClassifierError> {
    let last = network.blocks() - 1;
    match options.freeze {
        Freeze::UpTo(block) if block > last => Err(ClassifierError::Option {
            option: "freeze",
            value: block.to_string(),
            allowed: format!("a block of {}, 0 to {last}", options.network.name()),
        }),
        _ => Ok(()),
    }
}

fn tell_size(
    options: &Args,
    config: &NetworkConfig,
    network: &Network,
) -> Result<(), ClassifierError> {
    let written = network::export(&network.valid(), options.input as usize, &[])?;
    let tensors = parameters::take(network);
    let learned: usize = tensors
        .iter()
        .filter(|(path, _)| !parameters::is_statistic(path))
        .map(|(_, tensor)| tensor.values.len())
        .sum();
    note!(
        "{} {} at {} px: {:.1} M multiply-adds a face, {:.2} M parameters, {:.0} kB",
        config.kind.name(),
        config.width,
        options.input,
        written.multiply_adds as f64 / 1e6,
        learned as f64 / 1e6,
        written.bytes.len() as f64 / 1e3,
    );
    Ok(())
}

/// Which epoch the result is of, and which was the best.
fn tell_end(fit: &Fit, fitted: &Fitted) {
    if fitted.epochs < fit.epochs {
        note!("stopped after epoch {} of {}", fitted.epochs, fit.epochs);
    }
    match fitted.best {
        Some(best) if best.epoch == fitted.epoch => {
            note!("epoch {} is written, the best (validation loss {:.4})", best.epoch, best.loss);
        }
        Some(best) => note!(
            "epoch {} is written; epoch {} was the best (validation loss {:.4}), --keep best writes that",
            fitted.epoch,
            best.epoch,
            best.loss
        ),
        None => note!("epoch {} is written", fitted.epoch),
    }
}

fn pages(
    report: &Report,
    crops: &[Cut],
    answers: &[Probabilities],
    history: &History,
    folder: &Path,
) -> anyhow::Result<()> {
    write_pages(report, crops, answers, folder)?;
    let loss = history.chart("Loss", "epoch", &["training loss", "validation loss"]);
    loss.write(&folder.join("loss"))?;
    let names = ["accuracy", "accuracy, mask and bare"];
    history.chart("Validation", "epoch", &names).write(&folder.join("accuracy"))?;
    Ok(())
}
