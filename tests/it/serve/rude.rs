//! Clients that do not speak as AWS's do.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use driftless::sim::{CloudSettings, ServeLimits};

use crate::serve::Served;

fn served() -> Served {
    Served::with(CloudSettings::default())
}

fn connected(served: &Served) -> BufReader<TcpStream> {
    BufReader::new(TcpStream::connect(served.address).expect("connected"))
}

/// Sends bytes, and reads one answer: its first line and its body.
fn asked(stream: &mut BufReader<TcpStream>, text: &[u8]) -> (String, String) {
    // Whoever is refused in the middle of a body may not be listened to any more.
    let _ = stream.get_mut().write_all(text);
    let (mut first, mut length) = (String::new(), 0);
    stream.read_line(&mut first).expect("an answer");
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).expect("a header");
        if line.trim().is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').expect("a header");
        if name == "content-length" {
            length = value.trim().parse().expect("a number");
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).expect("a body");
    (first.trim().to_owned(), String::from_utf8(body).expect("UTF-8"))
}

fn post(body_length: usize, headers: &str, body: &str) -> Vec<u8> {
    format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {body_length}\r\n{headers}\r\n{body}")
        .into_bytes()
}

#[test]
fn requests_without_keys_are_told_so_on_one_connection() {
    let served = served();
    let mut stream = connected(&served);
    for request in [post(0, "", ""), b"GET /favicon.ico HTTP/1.1\r\nHost: a\r\n\r\n".to_vec()] {
        let (first, body) = asked(&mut stream, &request);
        assert_eq!(first, "HTTP/1.1 403 Forbidden");
        assert!(body.contains("<Code>MissingAuthenticationToken</Code>"), "{body}");
    }
}

#[test]
fn a_service_that_is_not_simulated_is_refused_by_name() {
    let served = served();
    let header = "Authorization: AWS4-HMAC-SHA256 Credential=AKIA/20261123/eu-central-1/sqs/aws4_request\r\n";
    let (first, body) = asked(&mut connected(&served), &post(0, header, ""));
    assert_eq!(first, "HTTP/1.1 400 Bad Request");
    assert!(body.contains("does not know the service `sqs`"), "{body}");
    assert_eq!(served.cloud.refused().len(), 1);
}

#[test]
fn bodies_that_are_too_long_are_not_read() {
    let served = served();
    let most = 1_500_000;
    let (first, _) = asked(&mut connected(&served), &post(most, "", &"a".repeat(most)));
    assert_eq!(first, "HTTP/1.1 403 Forbidden");
    let (first, body) = asked(&mut connected(&served), &post(most * 1_000, "", ""));
    assert_eq!(first, "HTTP/1.1 413 Payload Too Large");
    assert!(body.contains("<Code>RequestEntityTooLarge</Code>"), "{body}");
}

#[test]
fn an_object_is_not_read_before_its_signature_is_right() {
    let served = served();
    let (key, _) = served.cloud.keys_of(None);
    let header = format!(
        "Authorization: AWS4-HMAC-SHA256 Credential={key}/20261123/eu-central-1/s3/aws4_request, \
         SignedHeaders=host, Signature=00\r\nX-Amz-Date: 20261123T000000Z\r\n"
    );
    let request = post(200_000_000, &header, "");
    let request = [b"PUT /bucket/key", request.strip_prefix(b"POST /").expect("it")].concat();
    let (first, body) = asked(&mut connected(&served), &request);
    assert_eq!(first, "HTTP/1.1 403 Forbidden");
    assert!(body.contains("<Code>RequestTimeTooSkewed</Code>"), "{body}");
}

#[test]
fn what_is_no_http_ends_the_connection_and_nobody_elses() {
    let served = served();
    let mut good = connected(&served);
    let mut bad = connected(&served);
    bad.get_mut().write_all(b"\x16\x03\x01 this is not HTTP\r\n\r\n").expect("sent");
    let mut answer = Vec::new();
    bad.read_to_end(&mut answer).expect("an end");
    assert_eq!(asked(&mut good, &post(0, "", "")).0, "HTTP/1.1 403 Forbidden");
}

/// With clients that are cut off soon.
fn impatient(change: impl FnOnce(&mut ServeLimits)) -> Served {
    let mut limits = ServeLimits::default();
    change(&mut limits);
    Served::within(CloudSettings::default(), limits)
}

#[test]
fn who_sends_slowly_is_cut_off() {
    let served = impatient(|limits| limits.idle = Duration::from_millis(50));
    let mut stream = connected(&served);
    stream.get_mut().write_all(b"POST / HTTP/1.1\r\nHost: ").expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an end");

    let served = impatient(|limits| limits.body = Duration::from_millis(50));
    let (first, body) = asked(&mut connected(&served), &post(10, "", "half"));
    assert_eq!(first, "HTTP/1.1 408 Request Timeout");
    assert!(body.contains("<Code>RequestTimeout</Code>"), "{body}");
}

#[test]
fn a_connection_does_not_live_for_ever() {
    let served = impatient(|limits| limits.life = Duration::from_millis(50));
    let mut answer = Vec::new();
    connected(&served).read_to_end(&mut answer).expect("an end");
    assert_eq!(asked(&mut connected(&served), &post(0, "", "")).0, "HTTP/1.1 403 Forbidden");
}

#[test]
fn whoever_comes_when_it_is_full_waits_for_a_seat() {
    let served = impatient(|limits| limits.connections = 1);
    let mut first = connected(&served);
    assert_eq!(asked(&mut first, &post(0, "", "")).0, "HTTP/1.1 403 Forbidden");
    let mut second = connected(&served);
    second.get_mut().write_all(&post(0, "", "")).expect("sent");
    let wait = Some(Duration::from_millis(100));
    second.get_mut().set_read_timeout(wait).expect("a timeout");
    assert!(second.fill_buf().is_err(), "it was answered while somebody else had the seat");
    second.get_mut().set_read_timeout(None).expect("no timeout");
    drop(first);
    let mut answer = String::new();
    second.read_line(&mut answer).expect("an answer");
    assert_eq!(answer.trim(), "HTTP/1.1 403 Forbidden");
}
