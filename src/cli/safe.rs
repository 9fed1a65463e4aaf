use super::{Common, Failure};
use crate::gpio;
use crate::service::LinesInUse;

/// Opens every output by itself, which makes it inactive, and gives it back. For systemd's
/// ExecStopPost: after a SIGKILL the kernel may leave lines as they were, and nothing else runs
/// before the next start.
pub(super) fn run(common: &Common) -> Result<(), Failure> {
    // What the daemon had counts, not what the file says by now.
    let settings = match LinesInUse::from_environment().get() {
        Some(settings) => settings,
        None => common.load()?.config.gpio,
    };
    let mut all = true;
    for line in gpio::make_safe(&settings)? {
        match line {
            Ok(words) => log::info!("safe: {words}"),
            Err(error) => {
                log::error!("{error}");
                all = false;
            }
        }
    }
    if all { Ok(()) } else { Err(Failure::Said) }
}
