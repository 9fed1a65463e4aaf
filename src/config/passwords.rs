/// Text for logs and messages: `rtsp://door:secret@host/live?pwd=secret` becomes
/// `rtsp://***@host/live?pwd=***`, and `curl -u door:secret` becomes `curl -u ***`.
pub fn without_passwords(text: &str) -> String {
    without_users(&in_addresses(text))
}

fn in_addresses(text: &str) -> String {
    let mut parts = text.split("://");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out += "://";
        let end = part.find(|c: char| c.is_whitespace() || "'\"".contains(c));
        let (address, rest) = part.split_at(end.unwrap_or(part.len()));
        // A password may hold a slash.
        let address = match address.rsplit_once('@') {
            Some((_, host)) => {
                out += "***@";
                host
            }
            None => address,
        };
        out += &without_values(address);
        out += rest;
    }
    out
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
        if let Some(mark) = quote {
            quote = Some(mark).filter(|mark: &&str| !word.contains(mark));
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
        let mark = ["\\\"", "\\'", "\"", "'"].into_iter().find(|mark| value.starts_with(mark));
        let hidden = match secret {
            // The colon may come after a space.
            Some(Secret::User) => value.contains(':') || mark.is_some(),
            Some(Secret::Password) => !value.is_empty(),
            None => false,
        };
        if hidden {
            out += name;
            out += "***";
            quote = mark.filter(|mark| !value[mark.len()..].contains(mark));
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
        "-u" | "-su" | "--user" | "--proxy-user" => Secret::User,
        name if ["password", "passwd", "-pw"].iter().any(|end| name.ends_with(end))
            && (name.starts_with('-') || !value.is_empty()) =>
        {
            Secret::Password
        }
        _ if word.starts_with("-u") || word.starts_with("-U") => {
            return (&word[..2], &word[2..], Some(Secret::User));
        }
        _ => return (word, "", None),
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
        let told = ["sudo -u pi cat a:b", "the password is wrong", "ffmpeg -use_wallclock 1 a:b"];
        for text in told {
            assert_eq!(without_passwords(text), text);
        }
    }
}
