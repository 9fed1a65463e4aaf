/// Text for logs and messages: `rtsp://door:secret@host/live?pwd=secret` becomes
/// `rtsp://***@host/live?pwd=***`, and `curl -u door:secret` becomes `curl -u ***`.
pub fn without_passwords(text: &str) -> String {
    without_users(&in_addresses(text))
}

/// A source; a command by its program alone, and what is no source by its first word: arguments may
/// hold passwords in ways that nobody knows. `pipe:curl -u door:secret http://host` becomes `pipe:curl …`.
pub fn without_arguments(source: &str) -> String {
    let (kind, rest) = match source.split_at_checked("pipe:".len()) {
        Some(("file:" | "v4l2:", _)) => return without_passwords(source),
        Some((kind @ "pipe:", command)) => (kind, command.trim()),
        _ => ("", source.trim()),
    };
    let word = rest.split_whitespace().next().unwrap_or_default();
    // VARIABLE=VALUE may stand before a command.
    let (word, dots) = match word.contains('=') {
        true => ("", "…"),
        false if word.len() < rest.len() => (word, " …"),
        false => (word, ""),
    };
    format!("{kind}{}{dots}", without_passwords(word))
}

fn in_addresses(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + "://".len());
        out += before;
        let address = &after[..address_end(before.trim_end_matches("://"), after)];
        rest = &after[address.len()..];
        // A password may hold a slash.
        match address.rsplit_once('@') {
            Some((_, host)) => {
                out += "***@";
                out += &without_values(host);
            }
            // A name and the beginning of a password.
            None if is_cut_off(address) => out += "***",
            None => out += &without_values(address),
        }
    }
    out + rest
}

/// Where the address ends that begins with `after`; `before` ends with its scheme. One in quotes
/// goes up to the next of these, for a password may hold the other ones, or a space; further where an
/// `@` says that what came so far was not yet the host.
fn address_end(before: &str, after: &str) -> usize {
    let line = after.lines().next().unwrap_or_default();
    let scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    let quote = before.trim_end_matches(scheme).chars().next_back().filter(|c| "'\"".contains(*c));
    let word = |text: &str| text.find(char::is_whitespace).unwrap_or(text.len());
    let upto = |at: usize| {
        let end = at + word(&line[at..]);
        end - usize::from(quote.is_some_and(|quote| line[..end].ends_with(quote)))
    };
    let first = quote.and_then(|quote| line.find(quote)).unwrap_or_else(|| word(line));
    let (address, rest) = line.split_at(first);
    let Some(at) = rest.find('@') else { return first };
    // Behind a quote that the password holds.
    let same_word = quote.is_some() && !rest[..at].contains(char::is_whitespace);
    // NAME:PASSWORD up to a blank in it.
    let host = address.split('/').next().unwrap_or_default();
    let begun = !address.contains('@') && host.contains(':');
    let next_word = quote.is_none() && rest[..at].split_whitespace().count() <= 1;
    if same_word || (begun && (next_word || is_cut_off(address))) {
        upto(first + at)
    } else {
        first
    }
}

/// Whether what should be a host goes on with what is no port.
fn is_cut_off(address: &str) -> bool {
    let host = address.split(['/', '?', '#', '\'', '"']).next().unwrap_or_default();
    let port = host.split_once(':').filter(|_| !host.starts_with('['));
    let digits = |port: &str| {
        port.trim_end_matches([':', ',', ')', '.']).bytes().all(|b| b.is_ascii_digit())
    };
    port.is_some_and(|(_, port)| !digits(port))
}

/// Options of commands: NAME:PASSWORD as curl takes it, and what is called a password, as wget and
/// GStreamer have it.
fn without_users(text: &str) -> String {
    let mut out = String::new();
    let mut option = None;
    let mut quote = None;
    for piece in text.split_inclusive(char::is_whitespace) {
        // A command may go over several lines, each with a backslash at its end.
        let (word, space) = piece.split_at(piece.trim_end().len());
        if let Some((at, mark)) = quote {
            quote = Some((at, mark)).filter(|(_, mark): &(usize, &str)| !word.contains(mark));
            if quote.is_none() {
                out += space;
            }
            continue;
        }
        if word.is_empty() || word == "\\" {
            out += piece;
            continue;
        }
        let (name, value, secret) = match option.take() {
            Some(secret) => ("", word, Some(secret)),
            None => named(word),
        };
        let marks = ["\\\"", "\\'", "\"", "'"].into_iter();
        let mark =
            marks.filter_map(|mark| Some((value.find(mark)?, mark))).min_by_key(|found| found.0);
        let hidden = match secret {
            // The colon may come after a space.
            Some(Secret::User) => value.contains(':') || mark.is_some_and(|(at, _)| at == 0),
            Some(Secret::Password) => !value.is_empty(),
            None => false,
        };
        if hidden {
            out += name;
            out += "***";
            quote = mark.filter(|(at, mark)| !value[at + mark.len()..].contains(mark));
        } else {
            out += word;
            option = secret.filter(|_| value.is_empty());
        }
        if quote.is_none() {
            out += space;
        }
    }
    out
}

#[derive(Clone, Copy)]
enum Secret {
    /// Secret where it holds a colon.
    User,
    Password,
}

/// A word as the option with what joins it to its value, and the value, which may be the next word.
fn named(word: &str) -> (&str, &str, Option<Secret>) {
    let (name, value) = word.split_at(word.find('=').map_or(word.len(), |at| at + 1));
    let lower = name.trim_end_matches('=').to_ascii_lowercase();
    let secret = match lower.as_str() {
        "--user" | "--proxy-user" => Secret::User,
        // Letters before it are other options.
        name if name.len() > 1
            && name.starts_with('-')
            && name.ends_with('u')
            && name[1..].bytes().all(|letter| letter.is_ascii_lowercase()) =>
        {
            Secret::User
        }
        "--header" | "--oauth2-bearer" | "-headers" => Secret::Password,
        _ if name == "-H" => Secret::Password,
        name if ["password", "passwd", "-pw"].iter().any(|end| name.ends_with(end))
            && (name.starts_with('-') || !value.is_empty()) =>
        {
            Secret::Password
        }
        _ if word.starts_with("-u") || word.starts_with("-U") => {
            return (&word[..2], &word[2..], Some(Secret::User));
        }
        _ => {
            let letters = |text: &str| text.bytes().all(|letter| letter.is_ascii_lowercase());
            return match word.strip_prefix('-').and_then(|rest| rest.split_once('u')) {
                Some((others, value)) if letters(others) && value.contains(':') => {
                    let at = others.len() + "-u".len();
                    (&word[..at], &word[at..], Some(Secret::User))
                }
                _ => (word, "", None),
            };
        }
    };
    (name, value, Some(secret))
}

/// What stands behind `=` in a path or a query, of which nobody knows what is secret.
fn without_values(address: &str) -> String {
    let mut pieces = address.split('=');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let end = piece.find(|c: char| "&/?;#".contains(c)).unwrap_or(piece.len());
        out += "=***";
        out += &piece[end..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_told_without_the_arguments_of_its_command() {
        for (source, told) in [
            ("v4l2:/dev/video0", "v4l2:/dev/video0"),
            ("demo", "demo"),
            ("file:/my clips/a.mjpg", "file:/my clips/a.mjpg"),
            ("pipe: curl -fsS -p secret http://h", "pipe:curl …"),
            ("pipe:PW=secret curl -u $PW", "pipe:…"),
            ("curl -u a:b", "curl …"),
            ("rtsp://admin:secret@door/1", "rtsp://***@door/1"),
            ("rtsp://admin:se cret@door/1", "rtsp://*** …"),
        ] {
            assert_eq!(without_arguments(source), told);
        }
    }

    #[test]
    fn passwords_in_addresses_are_not_told() {
        assert_eq!(
            without_passwords("rtsp://door:s3:cr@et@10.0.0.9:554/1 and http://plain/a"),
            "rtsp://***@10.0.0.9:554/1 and http://plain/a"
        );
        assert_eq!(
            without_passwords("'rtsp://a:p/w@host/1': refused"),
            "'rtsp://***@host/1': refused"
        );
        assert_eq!(
            without_passwords("rtsp://host/user=admin&password=s3cret&channel=1/live?pwd=x#y"),
            "rtsp://host/user=***&password=***&channel=***/live?pwd=***#y"
        );
        assert_eq!(without_passwords("no address, a=b"), "no address, a=b");
        assert_eq!(
            without_passwords("-i \"rtsp://admin:se'c ret@10.0.0.9:1/x\" -vf a@b"),
            "-i \"rtsp://***@10.0.0.9:1/x\" -vf a@b"
        );
        assert_eq!(
            without_passwords("rtsp://admin:se'cret@door:1/x: Connection refused, me@x"),
            "rtsp://***@door:1/x: Connection refused, me@x"
        );
        assert_eq!(
            without_passwords("rtsp://admin:se cret@door/1 timed out"),
            "rtsp://***@door/1 timed out"
        );
        assert_eq!(without_passwords("rtsp://admin:se"), "rtsp://***");
        for (text, told) in [
            (
                "Opening 'rtsp://a:sec'ret@10.0.0.5/x' for b",
                "Opening 'rtsp://***@10.0.0.5/x' for b",
            ),
            (
                "Opening 'rtsp://a:s@c'ret@10.0.0.5/x' for b",
                "Opening 'rtsp://***@10.0.0.5/x' for b",
            ),
            ("rtsp://a:12 34secret@10.0.0.5/x ended", "rtsp://***@10.0.0.5/x ended"),
            ("rtsp://a:554/secret x@10.0.0.5/x ended", "rtsp://***@10.0.0.5/x ended"),
            ("'rtsp://host/1': refused, ask me@x", "'rtsp://host/1': refused, ask me@x"),
            ("http://host:80 is refused to me@x", "http://host:80 is refused to me@x"),
        ] {
            assert_eq!(without_passwords(text), told);
        }
        let told = ["http://door:80: refused", "http://[::1]:80/a", "tcp://door:80, http://a/b:c"];
        for text in told {
            assert_eq!(without_passwords(text), text);
        }
        assert_eq!(
            without_passwords("pipe:curl -s -u admin:secret --user=a:b http://host/video"),
            "pipe:curl -s -u *** --user=*** http://host/video"
        );
        assert_eq!(
            without_passwords(
                "curl -uadmin:secret -u 'my admin:my own' --user \"a:b\" http://host"
            ),
            "curl -u*** -u *** --user *** http://host"
        );
        assert_eq!(
            without_passwords(
                "wget --password=secret --http-password s3 | gst user-id=a user-pw='s x' ! b"
            ),
            "wget --password=*** --http-password *** | gst user-id=a user-pw=*** ! b"
        );
        assert_eq!(
            without_passwords(
                "curl -s \\\n\t-u admin:secret \\\n http://host -su \\\n a:b PASSWORD=x"
            ),
            "curl -s \\\n\t-u *** \\\n http://host -su \\\n *** PASSWORD=***"
        );
        assert_eq!(
            without_passwords("curl -fsSu a:b -sku c:'my own' -H 'Auth: x y' --header=z http://h"),
            "curl -fsSu *** -sku *** -H *** --header=*** http://h"
        );
        assert_eq!(without_passwords("curl -fsuadmin:secret http://h"), "curl -fsu*** http://h");
        let told = ["sudo -u pi cat a:b", "the password is wrong", "ffmpeg -use_wallclock 1 a:b"];
        for text in told {
            assert_eq!(without_passwords(text), text);
        }
    }
}
