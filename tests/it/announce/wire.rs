//! Over real TCP, with a receiver on the loopback: what is sent, what comes back, and the command
//! that tries it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use driftless::announce::{Hidden, Method, Request, over_https};

use crate::announce::shapes;
use crate::world::World;

/// A receiver that gives one answer after the other, and hands on what it gets.
struct Server {
    url: String,
    got: Receiver<(String, String)>,
}

/// Serves as many requests as there are answers. An empty answer closes the connection.
fn server(answers: &[&'static str]) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/services/secret", listener.local_addr().expect("an address"));
    let (send, got) = channel();
    let answers = answers.to_vec();
    thread::spawn(move || {
        for answer in answers {
            let Ok((stream, _)) = listener.accept() else { return };
            let request = read(&stream);
            // The test may have ended.
            let _ = send.send(request);
            let mut stream = stream;
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    Server { url, got }
}

/// Head and body of a request.
pub(crate) fn read(stream: &TcpStream) -> (String, String) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    loop {
        let mut line = String::new();
        let count = reader.read_line(&mut line).expect("a line");
        if count == 0 || line == "\r\n" {
            break;
        }
        head.push_str(&line);
    }
    let lower = head.to_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    (head, String::from_utf8(body).expect("text"))
}

fn request(url: &str) -> Request {
    Request {
        method: Method::Post,
        url: Hidden::of(url),
        headers: vec![("content-type", Hidden::of("application/json"))],
        body: "{}".to_owned(),
        max_answer: 2_048,
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
const MOVED: &str = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\
                     Connection: close\r\n\r\n";
const SLOW_DOWN: &str = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 0\r\n\
                         Connection: close\r\n\r\n";
const GONE: &str = "HTTP/1.1 410 Gone\r\nContent-Length: 19\r\nConnection: close\r\n\r\n\
                    channel_is_archived";

#[tokio::test]
async fn a_post_brings_back_status_pause_and_words_and_follows_nobody() {
    let server = server(&[OK, SLOW_DOWN, GONE, MOVED, ""]);
    let post = over_https();
    let answer = post(request(&server.url)).await.expect("an answer");
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
    let (head, body) = server.got.recv().expect("a request");
    assert!(head.starts_with("POST /services/secret HTTP/1.1\r\n"), "{head}");
    assert!(head.to_lowercase().contains("content-type: application/json"), "{head}");
    assert_eq!(body, "{}");
    let answer = post(request(&server.url)).await.expect("an answer");
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("7")));
    let answer = post(request(&server.url)).await.expect("an answer");
    assert_eq!((answer.status, answer.body.as_str()), (410, "channel_is_archived"));
    assert_eq!(post(request(&server.url)).await.expect("an answer").status, 302);
    assert!(post(request(&server.url)).await.is_err(), "the connection was closed");
}

#[tokio::test]
async fn who_does_not_listen_is_an_error_without_the_url() {
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("one").port();
    let url = format!("http://127.0.0.1:{port}/services/secret");
    let error = over_https()(request(&url)).await.expect_err("nobody listens").to_string();
    assert!(error.contains("refused") && !error.contains("secret"), "{error}");
}

const NOTIFY: &str = "  notify:
    - { name: team, slack: { url: { env: TEAM } } }
    - { name: office, teams: { url: { env: OFFICE } } }
    - { name: events, webhook: { url: { file: /nonexistent/url } } }
";

fn notify_test(world: &World, arguments: &[&str], variables: &[(&str, &str)]) -> (i32, String) {
    let ran = Command::new(env!("CARGO_BIN_EXE_driftless"))
        .env_clear()
        .env("DRIFTLESS_USER", "anna")
        .envs(variables.iter().copied())
        .arg("--fleet")
        .arg(world.repository())
        .arg("--state")
        .arg(world.journal_path())
        .args(["notify", "test"])
        .args(arguments)
        .output()
        .expect("it runs");
    let text = String::from_utf8([ran.stdout, ran.stderr].concat()).expect("text");
    (ran.status.code().expect("a code"), text)
}

#[test]
fn each_channel_is_tried_and_what_came_back_is_said() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(async { World::with_tenants(1) });
    let (code, text) = notify_test(&world, &[], &[]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("this fleet tells nobody anything"), "{text}");

    let fleet = std::fs::read_to_string(world.repository().join("fleet.yaml")).expect("a file");
    world.write("fleet.yaml", &format!("{fleet}{NOTIFY}"));
    world.commit();
    let (team, office) = (server(&[OK, OK]), server(&[GONE]));
    let variables = [("TEAM", team.url.as_str()), ("OFFICE", office.url.as_str())];
    let (code, text) = notify_test(&world, &[], &variables);
    assert_eq!(code, 3, "{text}");
    assert_eq!(
        text,
        "team (Slack): the message arrived\n\
         office (Microsoft Teams): refused: it answered 410 (channel_is_archived)\n\
         events (a webhook): not sent: the file /nonexistent/url cannot be read: No such file or \
         directory (os error 2)\n"
    );
    shapes::block_kit(&team.got.recv().expect("a request").1).expect("well formed");
    shapes::adaptive_card(&office.got.recv().expect("a request").1).expect("well formed");

    let (code, text) = notify_test(&world, &["--channel", "team"], &variables);
    assert_eq!((code, text.as_str()), (0, "team (Slack): the message arrived\n"));
    let (code, text) = notify_test(&world, &["--channel", "tema"], &variables);
    assert_eq!(code, 1);
    assert!(text.contains("there are: team, office, events"), "{text}");
}
