/// Text for logs and messages: `rtsp://door:secret@host/` becomes `rtsp://***@host/`.
pub fn without_passwords(text: &str) -> String {
    let mut parts = text.split("://");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out += "://";
        let end = part.find(|c: char| c.is_whitespace() || "/'\"".contains(c));
        let (host, rest) = part.split_at(end.unwrap_or(part.len()));
        match host.rsplit_once('@') {
            Some((_, host)) => out.extend(["***@", host]),
            None => out += host,
        }
        out += rest;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_addresses_are_not_told() {
        assert_eq!(
            without_passwords("rtsp://door:s3:cr@et@10.0.0.9:554/1 and http://plain/a@b"),
            "rtsp://***@10.0.0.9:554/1 and http://plain/a@b"
        );
        assert_eq!(without_passwords("no address"), "no address");
    }
}
