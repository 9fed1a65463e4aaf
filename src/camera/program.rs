//! A program that runs beside us and writes frames: started, listened to, and surely ended.

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long a program may take to end once it is asked to, before it is killed. Camera stacks
/// need a moment to let go of the sensor; killed outright, some lock it until they are restarted.
const GRACE: Duration = Duration::from_secs(1);
const NAP: Duration = Duration::from_millis(10);
/// How long what a program said last may take to be heard.
const HEARING: Duration = Duration::from_secs(2);

/// What a shell runs: `$0` is the command. Standard input is a pipe of which nothing is ever
/// written: it closes when we let go of it, or when we are gone, however we ended, SIGKILL
/// included. The guard waits for that, asks the whole process group to end, and then kills it.
/// Thus nothing of the command is left behind, also not what it started in turn. (PR_SET_PDEATHSIG
/// would reach the shell alone, and would strike when the thread that started it ends.)
const GUARDED: &str = "exec 3<&0 </dev/null
(trap '' TERM HUP INT; exec >/dev/null 2>&1; read -r line <&3; kill -TERM 0; sleep 1; kill -KILL 0) &
exec 3<&-
exec sh -c \"$0\"";

/// A running program, in a process group of its own: Ctrl-C in a terminal reaches only us. Ends
/// with this.
pub(super) struct Program {
    child: Child,
    /// Closing it ends a guarded command with all it started.
    lifeline: Option<ChildStdin>,
    /// Gives a program's last words, once it has closed its standard error.
    last_words: Receiver<String>,
}

impl Program {
    /// Starts `command`, with its standard output to be read. `listen` is given its standard error
    /// and returns what to keep of it.
    pub(super) fn start(
        mut command: Command,
        listen: impl FnOnce(&mut dyn Read) -> String + Send + 'static,
    ) -> io::Result<(Program, ChildStdout)> {
        let mut child =
            command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (words_in, last_words) = channel();
        let mut complaints = child.stderr.take();
        let listening = thread::Builder::new().name("program".into()).spawn(move || {
            let kept = complaints.as_mut().map(|pipe| listen(pipe)).unwrap_or_default();
            let _ = words_in.send(kept);
        });
        let (output, lifeline) = (child.stdout.take(), child.stdin.take());
        // Built before anything can fail: it ends the child when it is dropped.
        let program = Program { child, lifeline, last_words };
        listening?;
        let output = output.ok_or_else(|| io::Error::other("its output cannot be read"))?;
        Ok((program, output))
    }

    /// Starts a shell command of which nothing will be left behind.
    pub(super) fn guarded(
        text: &str,
        listen: impl FnOnce(&mut dyn Read) -> String + Send + 'static,
    ) -> io::Result<(Program, ChildStdout)> {
        let mut command = Command::new("sh");
        command.args(["-c", GUARDED, text]).stdin(Stdio::piped());
        Program::start(command, listen)
    }

    /// Ends the program if it has not ended, and says how it ended.
    pub(super) fn end(&mut self) -> io::Result<ExitStatus> {
        if self.lifeline.take().is_some() {
            let limit = Instant::now() + GRACE;
            while Instant::now() < limit {
                if let Some(status) = self.child.try_wait()? {
                    return Ok(status);
                }
                thread::sleep(NAP);
            }
        }
        if self.child.try_wait()?.is_none() {
            self.child.kill()?;
        }
        self.child.wait()
    }

    /// How a program ended by itself: one that closed its output is about to. One that does not
    /// `within` that time is ended.
    pub(super) fn ended(&mut self, within: Duration) -> io::Result<ExitStatus> {
        let limit = Instant::now() + within;
        while Instant::now() < limit {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            thread::sleep(NAP);
        }
        self.end()
    }

    /// What `listen` kept; empty where something still holds standard error open.
    pub(super) fn last_words(&mut self) -> String {
        self.last_words.recv_timeout(HEARING).unwrap_or_default()
    }

    #[cfg(test)]
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            log::warn!("a program may be left behind: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::{BufRead, BufReader};

    /// Everything said is kept.
    fn all(pipe: &mut dyn Read) -> String {
        let mut text = String::new();
        let _ = pipe.read_to_string(&mut text);
        text
    }

    /// Whether a process runs; one that has ended but was not waited for does not.
    fn runs(id: &str) -> bool {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let state = stat.rsplit(") ").next().unwrap_or_default();
        !state.is_empty() && !state.starts_with(['Z', 'X'])
    }

    /// The numbers of processes that a script prints in its first line.
    fn ids(output: ChildStdout) -> (Vec<String>, BufReader<ChildStdout>) {
        let mut output = BufReader::new(output);
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        (line.split_whitespace().map(str::to_owned).collect(), output)
    }

    #[track_caller]
    fn all_end(ids: &[String]) {
        assert!(!ids.is_empty());
        let limit = Instant::now() + Duration::from_secs(20);
        while ids.iter().any(|id| runs(id)) {
            assert!(Instant::now() < limit, "left behind: {ids:?}");
            thread::sleep(NAP);
        }
    }

    #[test]
    fn a_command_says_its_status_and_its_last_words() {
        let (mut program, mut output) =
            Program::guarded("echo frame; echo 'no sensor' >&2; exit 7", all).unwrap();
        let mut text = String::new();
        output.read_to_string(&mut text).unwrap();
        assert_eq!(text, "frame\n");
        assert_eq!(program.ended(Duration::from_secs(20)).unwrap().code(), Some(7));
        assert_eq!(program.last_words(), "no sensor\n");
    }

    #[test]
    fn a_command_has_nothing_to_read() {
        let (_program, mut output) = Program::guarded("cat; echo done", all).unwrap();
        let mut text = String::new();
        output.read_to_string(&mut text).unwrap();
        assert_eq!(text, "done\n");
    }

    #[test]
    fn everything_that_a_command_started_ends_with_it() {
        let script = "sleep 1000 & one=$!; (trap '' TERM; sleep 1000) & two=$!
            echo $$ $one $two; wait";
        let (program, output) = Program::guarded(script, all).unwrap();
        let (ids, _output) = ids(output);
        assert_eq!(ids.len(), 3);
        assert_eq!(ids[0], program.id().to_string());
        assert!(ids.iter().all(|id| runs(id)));
        drop(program);
        all_end(&ids);
    }

    #[test]
    fn a_command_that_will_not_end_is_killed() {
        let script = "trap '' TERM INT HUP; echo $$; while :; do sleep 0.05; done";
        let (mut program, output) = Program::guarded(script, all).unwrap();
        let (ids, _output) = ids(output);
        assert_eq!(program.end().unwrap().code(), None);
        all_end(&ids);
    }

    #[test]
    fn a_command_that_can_end_in_order_is_let() {
        let script =
            "trap 'echo ended in order; exit 0' TERM; echo $$; while :; do sleep 0.02; done";
        let (mut program, output) = Program::guarded(script, all).unwrap();
        let (_, mut output) = ids(output);
        assert_eq!(program.end().unwrap().code(), Some(0));
        let mut text = String::new();
        output.read_line(&mut text).unwrap();
        assert_eq!(text, "ended in order\n");
    }

    #[test]
    fn a_program_without_a_guard_ends_too() {
        let mut command = Command::new("sleep");
        command.arg("1000").stdin(Stdio::null());
        let (program, _output) = Program::start(command, all).unwrap();
        let id = program.id().to_string();
        assert!(runs(&id));
        drop(program);
        assert!(!runs(&id));
    }
}
