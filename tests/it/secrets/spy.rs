//! Stands between the program and the cloud that it calls: knows every secret that passes, and gives
//! the answers that repeat them, as AWS and others do. Receivers of messages repeat what they get.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::announce::wire;

/// What passed so far.
#[derive(Default)]
pub(crate) struct Seen {
    /// Keys, tokens and signatures, whoever had them.
    pub(crate) secrets: BTreeSet<String>,
    /// Bodies of requests.
    pub(crate) bodies: Vec<String>,
    /// Answers of each kind that repeated a secret.
    pub(crate) told: BTreeMap<&'static str, usize>,
    /// Accounts by access key.
    accounts: BTreeMap<String, String>,
}

/// What is asked for again comes right after so many tries: the program would wait for half a minute.
const TIMES: usize = 2;

/// Accounts whose calls are answered by the spy.
#[derive(Clone)]
pub(crate) struct Plan {
    /// The text of a refused signature repeats the request, token and all.
    pub(crate) refused: String,
    /// The answer to AssumeRole ends after the keys.
    pub(crate) cut: String,
    /// The answer to AssumeRole is no XML, and has the keys in it.
    pub(crate) garbled: String,
}

pub(crate) struct Spy {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Mutex<Seen>>,
}

impl Spy {
    /// Passes requests on to `cloud`, one a connection.
    pub(crate) fn before(cloud: SocketAddr, plan: Plan) -> Self {
        let seen = Arc::<Mutex<Seen>>::default();
        let noted = Arc::clone(&seen);
        let address = listening(move |head, body| {
            let answer = passed_on(cloud, head, body);
            noted.lock().unwrap().answer(&plan, head, body, answer)
        });
        Self { address, seen }
    }
}

/// A receiver that takes nothing, and repeats all that it got.
pub(crate) fn rude() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let got = Arc::<Mutex<Vec<String>>>::default();
    let noted = Arc::clone(&got);
    let address = listening(move |head, body| {
        noted.lock().unwrap().push(head.to_owned());
        // A header of the request must not become one of the answer.
        (
            401,
            format!(
                "{{\"message\": \"no: {}\"}}",
                format!("{head}{body}").replace(['\r', '\n', '"'], " ")
            ),
        )
    });
    (address, got)
}

/// Answers each request on a thread of its own, and closes its connection.
fn listening(answer: impl Fn(&str, &str) -> (u16, String) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let answer = Arc::new(answer);
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let answer = Arc::clone(&answer);
            thread::spawn(move || {
                let (head, body) = wire::read(&stream);
                if head.is_empty() {
                    return;
                }
                let (status, body) = answer(&head, &body);
                let text = format!(
                    "HTTP/1.1 {status} x\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\
                     Connection: close\r\n\r\n{body}",
                    body.len()
                );
                // The program may have ended.
                let _ = stream.write_all(text.as_bytes());
            });
        }
    });
    address
}

fn passed_on(cloud: SocketAddr, head: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(cloud).expect("the cloud is there");
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).expect("sent");
    let (head, body) = wire::read(&stream);
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    // What breaks off on the other side breaks off here too.
    (status.unwrap_or(502), body)
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let of = |line: &'a str| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then_some(value.trim())
    };
    head.lines().find_map(of)
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<&'a str> {
    Some(text.split_once(from)?.1.split_once(to)?.0)
}

impl Seen {
    fn answer(
        &mut self,
        plan: &Plan,
        head: &str,
        body: &str,
        (status, said): (u16, String),
    ) -> (u16, String) {
        self.bodies.push(body.to_owned());
        let signed = header(head, "authorization").unwrap_or_default();
        let token = header(head, "x-amz-security-token").unwrap_or_default();
        let signature = signed.rsplit_once("Signature=").map_or("", |(_, signature)| signature);
        let keys = ["SecretAccessKey", "SessionToken"];
        let given = keys.iter().filter_map(|name| between(&said, &format!("<{name}>"), "</"));
        let found = given.chain([token, signature]).filter(|secret| !secret.is_empty());
        self.secrets.extend(found.map(str::to_owned));
        if let Some(role) = between(body, "RoleArn=arn%3Aaws%3Aiam%3A%3A", "%3A") {
            if let Some(key) = between(&said, "<AccessKeyId>", "</") {
                self.accounts.insert(key.to_owned(), role.to_owned());
            }
            return self.session(plan, role, (status, said));
        }
        let key = between(signed, "Credential=", "/").unwrap_or_default();
        if self.accounts.get(key) == Some(&plan.refused) {
            *self.told.entry("refused").or_default() += 1;
            let text = format!(
                "The request signature we calculated does not match the signature you provided. \
                 The Canonical String for this request should have been 'POST / \
                 x-amz-security-token:{token} {signature}'"
            );
            let error = format!("<Code>SignatureDoesNotMatch</Code><Message>{text}</Message>");
            let error = format!("<ErrorResponse><Error>{error}</Error></ErrorResponse>");
            return (403, error);
        }
        (status, said)
    }

    fn session(&mut self, plan: &Plan, account: &str, answer: (u16, String)) -> (u16, String) {
        let (status, said) = answer;
        let kind = match account {
            _ if account == plan.cut => "cut",
            _ if account == plan.garbled => "garbled",
            _ => return (status, said),
        };
        let told = self.told.entry(kind).or_default();
        *told += 1;
        if *told > TIMES {
            return (status, said);
        }
        let said = match kind {
            "cut" => said.split("</SessionToken>").next().unwrap_or_default().to_owned(),
            _ => said.replace("<Expiration>", "<Expiration>in an hour "),
        };
        (status, said)
    }
}
