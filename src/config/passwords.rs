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
    let mut out = Vec::new();
    let mut option = None;
    let mut quote = None;
    for word in text.split(' ') {
        if let Some(mark) = quote {
            quote = Some(mark).filter(|mark: &&str| !word.contains(mark));
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
            out.push(format!("{name}***"));
            quote = mark.filter(|mark| !value[mark.len()..].contains(mark));
        } else {
            out.push(word.to_owned());
            option = secret.filter(|_| value.is_empty());
        }
    }
    out.join(" ")
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
    let secret = match name.trim_end_matches('=') {
        "-u" | "-U" | "--user" | "--proxy-user" => Secret::User,
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
        let told = ["sudo -u pi cat a:b", "the password is wrong", "ffmpeg -use_wallclock 1 a:b"];
        for text in told {
            assert_eq!(without_passwords(text), text);
        }
    }
}
