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

/// NAME:PASSWORD as an option, as curl takes it.
fn without_users(text: &str) -> String {
    let mut option = false;
    let words = text.split(' ').map(|word| {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        let user = ["-u", "--user"].contains(&name);
        let told = match (option, user && value.contains(':')) {
            (true, _) if word.contains(':') => "***".to_owned(),
            (_, true) => format!("{name}=***"),
            _ => word.to_owned(),
        };
        option = user && value.is_empty();
        told
    });
    words.collect::<Vec<_>>().join(" ")
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
        assert_eq!(without_passwords("sudo -u pi cat a:b"), "sudo -u pi cat a:b");
    }
}
