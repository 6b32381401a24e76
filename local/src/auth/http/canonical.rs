//! The canonical form of a request, whose hash is signed.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use sha2::{Digest, Sha256};

use super::SignedRequest;

/// The hash of a request in its canonical form, with these headers.
pub(super) fn hash(request: &SignedRequest<'_>, signed_headers: &[&str]) -> String {
    hex::encode(Sha256::digest(form(request, signed_headers)))
}

/// The canonical form: method, path, query, headers, the names of the headers, and the hash of the body. It consists of
/// bytes, because header values need not be UTF-8.
pub(super) fn form(request: &SignedRequest<'_>, signed_headers: &[&str]) -> Vec<u8> {
    let mut form = format!("{}\n{}\n{}\n", request.method, path(request.path), query(request.query)).into_bytes();
    for name in signed_headers {
        form.extend_from_slice(name.as_bytes());
        form.push(b':');
        for (index, value) in request.values(name).enumerate() {
            form.extend((index > 0).then_some(b','));
            push_trimmed(&mut form, value);
        }
        form.push(b'\n');
    }
    let body = hex::encode(Sha256::digest(request.body));
    form.extend(format!("\n{}\n{body}", signed_headers.join(";")).bytes());
    form
}

/// All characters except letters, digits, hyphen, dot, underscore and tilde are encoded in a path and a query.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn encoded(text: &[u8]) -> String {
    percent_encode(text, ENCODED).to_string()
}

/// Removes dots and empty segments, and encodes each segment once more, as all services except S3 do.
fn path(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    let mut canonical = String::new();
    for segment in &segments {
        canonical.push('/');
        canonical.push_str(&encoded(segment.as_bytes()));
    }
    let ends_with_slash = path.ends_with(['/']) || path.ends_with("/.") || path.ends_with("/..");
    if segments.is_empty() || ends_with_slash {
        canonical.push('/');
    }
    canonical
}

/// Sorts the parameters by their encoded names and values.
fn query(query: &str) -> String {
    let parameters = query.split('&').filter(|parameter| !parameter.is_empty());
    let mut parameters: Vec<(String, String)> = parameters
        .map(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let reencoded = |text: &str| encoded(&percent_decode_str(text).collect::<Vec<u8>>());
            (reencoded(name), reencoded(value))
        })
        .collect();
    parameters.sort();
    let parameters: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    parameters.join("&")
}

/// Appends a value without white space at its ends, and with one space in place of several.
fn push_trimmed(form: &mut Vec<u8>, value: &[u8]) {
    let words = value.split(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).filter(|word| !word.is_empty());
    for (index, word) in words.enumerate() {
        form.extend((index > 0).then_some(b' '));
        form.extend_from_slice(word);
    }
}
