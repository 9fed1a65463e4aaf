//! The cameras of this machine, for people and programs to choose from.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{shown, v4l2};

/// A device that captures pictures.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CameraInfo {
    /// `/dev/video0`.
    pub device: PathBuf,
    /// Names under /dev/v4l that stay with the camera (by-id) or with the socket (by-path).
    pub names: Vec<PathBuf>,
    /// What the camera calls itself; empty where it cannot be asked.
    pub card: String,
    pub driver: String,
    /// Why it cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    pub formats: Vec<FormatInfo>,
}

/// A pixel format that a camera offers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FormatInfo {
    /// Its four letters: `YUYV`.
    pub format: String,
    /// Whether maskgate reads it.
    pub read: bool,
    pub sizes: Vec<SizeInfo>,
}

/// A size in pixels, or a span of sizes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SizeInfo {
    pub width: u32,
    pub height: u32,
    /// Width and height of the largest, where any between can be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most: Option<[u32; 2]>,
    /// Frames a second; of a span, its ends. Empty where the camera does not say.
    pub rates: Vec<f32>,
}

/// Every /dev/video* that captures, in the order of their numbers. Devices that cannot be opened
/// are told too, with why.
pub fn cameras() -> Vec<CameraInfo> {
    cameras_in(Path::new("/dev"), v4l2::describe)
}

fn cameras_in(dev: &Path, describe: impl Fn(&Path) -> Option<CameraInfo>) -> Vec<CameraInfo> {
    let mut numbers: Vec<u32> = entries(dev)
        .iter()
        .filter_map(|path| path.file_name()?.to_str()?.strip_prefix("video")?.parse().ok())
        .collect();
    numbers.sort_unstable();
    numbers
        .into_iter()
        .filter_map(|number| {
            let device = dev.join(format!("video{number}"));
            let names = names_of(dev, &device);
            describe(&device).map(|info| CameraInfo { names, ..info })
        })
        .collect()
}

/// Links that lead to `device`: by-id before by-path.
fn names_of(dev: &Path, device: &Path) -> Vec<PathBuf> {
    let target = fs::canonicalize(device).ok();
    let mut names: Vec<PathBuf> = ["by-id", "by-path"]
        .iter()
        .flat_map(|folder| entries(&dev.join("v4l").join(folder)))
        .filter(|link| target.is_some() && fs::canonicalize(link).ok() == target)
        .collect();
    names.sort();
    names
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

/// The list as text.
pub fn render(cameras: &[CameraInfo]) -> String {
    if cameras.is_empty() {
        return "no camera: no /dev/video* captures pictures\n".into();
    }
    let mut text = String::new();
    for camera in cameras {
        // Writing to a String cannot fail.
        let _ = render_one(camera, &mut text);
    }
    text
}

fn render_one(camera: &CameraInfo, text: &mut String) -> std::fmt::Result {
    write!(text, "{}", camera.device.display())?;
    if !camera.card.is_empty() {
        write!(text, "  {} ({})", camera.card, camera.driver)?;
    }
    writeln!(text)?;
    for name in &camera.names {
        writeln!(text, "  {}", name.display())?;
    }
    if let Some(problem) = &camera.problem {
        writeln!(text, "  cannot be used: {problem}")?;
    }
    for format in &camera.formats {
        let unread = if format.read { "" } else { " (not read)" };
        writeln!(text, "  {}{unread}", format.format)?;
        for size in &format.sizes {
            write!(text, "    {}x{}", size.width, size.height)?;
            if let Some([width, height]) = size.most {
                write!(text, " to {width}x{height}")?;
            }
            if !size.rates.is_empty() {
                let rates: Vec<_> =
                    size.rates.iter().map(|rate| shown(*rate).to_string()).collect();
                write!(text, " at {} fps", rates.join(", "))?;
            }
            writeln!(text)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn webcam() -> CameraInfo {
        let size = |width, height, rates: &[f32]| SizeInfo {
            width,
            height,
            most: None,
            rates: rates.into(),
        };
        CameraInfo {
            device: "/dev/video0".into(),
            names: vec!["/dev/v4l/by-id/usb-Maker_Cam-video-index0".into()],
            card: "Maker Cam".into(),
            driver: "uvcvideo".into(),
            problem: None,
            formats: vec![
                FormatInfo {
                    format: "YUYV".into(),
                    read: true,
                    sizes: vec![size(640, 480, &[30.0, 29.97]), size(1280, 720, &[])],
                },
                FormatInfo {
                    format: "H264".into(),
                    read: false,
                    sizes: vec![SizeInfo { most: Some([1920, 1080]), ..size(32, 32, &[]) }],
                },
            ],
        }
    }

    #[test]
    fn a_camera_is_shown_with_its_names_formats_sizes_and_rates() {
        let locked = CameraInfo {
            device: "/dev/video2".into(),
            problem: Some("may not be opened".into()),
            ..CameraInfo::default()
        };
        assert_eq!(
            render(&[webcam(), locked]),
            "/dev/video0  Maker Cam (uvcvideo)\n  \
             /dev/v4l/by-id/usb-Maker_Cam-video-index0\n  \
             YUYV\n    640x480 at 30, 29.97 fps\n    1280x720\n  \
             H264 (not read)\n    32x32 to 1920x1080\n\
             /dev/video2\n  cannot be used: may not be opened\n"
        );
        assert_eq!(render(&[]), "no camera: no /dev/video* captures pictures\n");
    }

    #[test]
    fn programs_get_the_same_as_json() {
        let json = serde_json::to_value([webcam()]).unwrap();
        assert_eq!(json[0]["device"], "/dev/video0");
        assert_eq!(json[0]["formats"][0]["sizes"][0]["width"], 640);
        assert_eq!(json[0]["formats"][1]["sizes"][0]["most"][1], 1080);
        assert!(json[0].get("problem").is_none());
    }

    #[test]
    fn devices_come_by_number_with_the_links_that_lead_to_them() {
        let folder = tempfile::tempdir().unwrap();
        let dev = folder.path();
        for name in ["video10", "video2", "video1", "videotape", "vbi0"] {
            fs::write(dev.join(name), "").unwrap();
        }
        for (link, to) in
            [("by-path/pci-0", "video2"), ("by-id/usb-b", "video10"), ("by-id/usb-a", "video2")]
        {
            let link = dev.join("v4l").join(link);
            fs::create_dir_all(link.parent().unwrap()).unwrap();
            symlink(dev.join(to), link).unwrap();
        }
        // The first of them captures nothing.
        let found = cameras_in(dev, |path| {
            let captures = !path.ends_with("video1");
            captures.then(|| CameraInfo { device: path.to_path_buf(), ..CameraInfo::default() })
        });
        let told: Vec<_> =
            found.iter().map(|info| (info.device.clone(), info.names.clone())).collect();
        let at = |name: &str| dev.join(name);
        assert_eq!(
            told,
            [
                (at("video2"), vec![at("v4l/by-id/usb-a"), at("v4l/by-path/pci-0")]),
                (at("video10"), vec![at("v4l/by-id/usb-b")]),
            ]
        );
        assert!(cameras_in(&dev.join("none"), |_| None).is_empty());
    }
}
