//! The front door: one HTTP request in, one answer out, with faults, quotas and the record of calls.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use crate::clock::Clock;
use crate::ids::{AccountId, Digest, Region};
use crate::moment::Moment;
use crate::sim::CloudSettings;
use crate::sim::calls::{Call, CallLog};
use crate::sim::cloudformation::{self, Action, Context};
use crate::sim::faults::{CallFault, Script};
use crate::sim::folder::CloudError;
use crate::sim::library::Library;
use crate::sim::machine;
use crate::sim::quotas::Quotas;
use crate::sim::refusal::{Answer, Refusal};
use crate::sim::roles::stack_resource;
use crate::sim::s3::{self, Buckets};
use crate::sim::sessions::{Caller, caller};
use crate::sim::state::Account;
use crate::sim::store::Store;
use crate::sim::sts::{self, Allowed, AssumeRole, Question};
use crate::sim::wire::{Ask, Form, Protocol, Request};
use crate::sim::witness::{Asked, Ending, Witness};

/// Everything that one cloud is.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) settings: CloudSettings,
    pub(crate) quotas_hold: bool,
    pub(crate) clock: Clock,
    pub(crate) library: Library,
    pub(crate) buckets: Buckets,
    pub(crate) store: Mutex<Store>,
    pub(crate) script: Script,
    pub(crate) quotas: Mutex<Quotas>,
    pub(crate) log: Mutex<CallLog>,
    pub(crate) requests: Mutex<u64>,
    pub(crate) witness: Mutex<Option<Arc<dyn Witness>>>,
}

/// How a listing of stacks is shown.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Light {
    /// As of this moment instead of now.
    pub(crate) as_of: Option<Moment>,
    /// Without the first stack of a page that is not the first page.
    pub(crate) shifted: bool,
}

/// What the caller gets.
#[derive(Debug)]
pub(crate) enum Reply {
    /// An HTTP answer, after a while.
    Answer(Response, Duration),
    /// No answer: the connection breaks with this text.
    Broken(&'static str),
    /// Nobody is there any more to hear an answer.
    Never,
}

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Names in small letters. The length is not among them.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// What the header says of the body's length: half a body has that of the whole, and none that of
    /// the one that was not asked for.
    pub(crate) length: usize,
}

impl Response {
    /// An answer without headers of its own.
    pub(crate) fn new(status: u16, body: Vec<u8>) -> Self {
        let length = body.len();
        Self { status, headers: Vec::new(), body, length }
    }

    /// The same with another header.
    pub(crate) fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(other, _)| other != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// What the query protocol answers.
    fn xml(status: u16, body: String) -> Self {
        Self::new(status, body.into_bytes()).with_header("content-type", "text/xml")
    }
}

/// One request on its way through the door.
pub(crate) struct Visit<'a> {
    pub(crate) now: Moment,
    pub(crate) caller: Caller,
    pub(crate) region: &'a Region,
    pub(crate) request_id: String,
    pub(crate) protocol: Protocol,
}

impl Inner {
    /// Answers one request, in the words of a protocol.
    pub(crate) fn reply(&self, protocol: Protocol, request: Answer<Request>) -> Reply {
        let now = self.clock.now();
        let request_id = self.next_request_id();
        let answered = request.and_then(|request| {
            let caller = caller(&request.access_key, request.session_token.as_deref(), now)?;
            let (region, request_id) = (&request.region, request_id.clone());
            let visit = Visit { now, caller, region, request_id, protocol };
            match request.ask {
                Ask::Sts(form) => self.to_sts(&visit, form),
                Ask::CloudFormation(form) => self.to_cloudformation(&visit, form),
                Ask::S3(wish) => self.to_s3(&visit, *wish),
            }
        });
        answered.unwrap_or_else(|refusal| {
            self.note(&refusal);
            Reply::Answer(protocol.refused(&refusal, &request_id), Duration::ZERO)
        })
    }

    fn to_sts(&self, visit: &Visit<'_>, form: Form) -> Answer<Reply> {
        let fields = form.fields().clone();
        let question = Question::parse(form)?;
        let of_fault = match &question {
            Question::AssumeRole(wish) => wish.account,
            Question::GetCallerIdentity => visit.caller.account,
        };
        let api = question.api();
        self.through(visit, of_fault, (api, false), &fields, |_| {
            let result = match &question {
                Question::AssumeRole(wish) => {
                    let allowed = self.allowed(wish, visit)?;
                    wish.answer(&visit.caller, visit.region, visit.now, &allowed)?
                }
                Question::GetCallerIdentity => sts::caller_identity(&visit.caller, visit.region),
            };
            Ok(Response::xml(200, sts::envelope(api, result, &visit.request_id)))
        })
    }

    fn allowed(&self, wish: &AssumeRole, visit: &Visit<'_>) -> Answer<Allowed> {
        let external_id =
            self.with_account(wish.account, |account| (account.external_id.clone(), false))?;
        let trusts = self.trusts(wish, (&visit.caller, visit.region), visit.now)?;
        let denied = self.script.denies_role(wish.account) || !trusts;
        Ok(Allowed { denied, role_name: self.settings.role_name.clone(), external_id })
    }

    fn to_cloudformation(&self, visit: &Visit<'_>, mut form: Form) -> Answer<Reply> {
        let action = cloudformation::action(&mut form)?;
        let fields = form.fields().clone();
        let account = visit.caller.account;
        self.through(visit, account, (action.name, action.mutating), &fields, |light| {
            let (who, right) = ((&visit.caller, visit.region), right_of(action));
            let about = |account: &Account| stack_resource(account, visit.region, &fields);
            self.permits(who, visit.now, &right, about)?;
            let body = self.in_place(account, visit.region, visit.now, light, |context| {
                cloudformation::answer(context, action, form, &visit.request_id)
            })??;
            Ok(Response::xml(200, body))
        })
    }

    /// Carries an action of a person out in an account.
    pub(crate) fn carry_out(
        &self,
        account: AccountId,
        region: &Region,
        now: Moment,
        action: &Action,
        form: Form,
        request_id: &str,
    ) -> Answer<String> {
        self.in_place(account, region, now, Light::default(), |context| {
            cloudformation::answer(context, action, form, request_id)
        })?
    }

    /// Does something in a region of an account, which is brought to `now` before and after.
    pub(crate) fn in_place<T>(
        &self,
        account: AccountId,
        region: &Region,
        now: Moment,
        light: Light,
        act: impl FnOnce(&mut Context<'_>) -> T,
    ) -> Result<T, CloudError> {
        self.with_account(account, |account| {
            let advanced = machine::advance(account, now);
            let mut context = Context {
                account,
                region,
                now,
                library: &self.library,
                settings: &self.settings,
                script: &self.script,
                light,
                buckets: &self.buckets,
                upcoming: BTreeMap::new(),
                reach: None,
                changed: false,
            };
            let done = act(&mut context);
            let changed = context.changed;
            if changed {
                machine::advance(account, now);
                if self.settings.remembers {
                    machine::remember(machine::place(account, region), now);
                }
            }
            (done, advanced || changed)
        })
    }

    /// Does something with an account.
    pub(crate) fn with_account<T>(
        &self,
        account: AccountId,
        act: impl FnOnce(&mut Account) -> (T, bool),
    ) -> Result<T, CloudError> {
        locked(&self.store).with(account, self.settings.seed, act)
    }

    /// Records a call, lets it pass quotas and faults, and has it answered.
    pub(crate) fn through(
        &self,
        visit: &Visit<'_>,
        of_fault: AccountId,
        (api, mutating): (&'static str, bool),
        fields: &BTreeMap<String, String>,
        answer: impl FnOnce(Light) -> Answer<Response>,
    ) -> Answer<Reply> {
        let (account, region) = (visit.caller.account, visit.region);
        let call = Call { at: visit.now, account, region: region.clone(), api, mutating };
        let witness = locked(&self.witness).clone();
        let asked = Asked { call: &call, fields };
        if witness.as_ref().is_some_and(|witness| !witness.comes(asked)) {
            return Ok(Reply::Never);
        }
        locked(&self.log).record(call.clone());
        let fault = match self.obstacle(&call, of_fault) {
            Ok(fault) => fault,
            Err(lost) => {
                let heard = witness.is_none_or(|witness| witness.ended(asked, Ending::Lost));
                return if heard { lost } else { Ok(Reply::Never) };
            }
        };
        let response = match answer(light_of(fault.as_ref())) {
            Ok(response) => response,
            Err(refusal) => {
                self.note(&refusal);
                let ending = Ending::Refused(&refusal.code, &refusal.message);
                if witness.is_some_and(|witness| !witness.ended(asked, ending)) {
                    return Ok(Reply::Never);
                }
                let response = visit.protocol.refused(&refusal, &visit.request_id);
                return Ok(visit.protocol.spoiled(fault, response));
            }
        };
        let body = std::str::from_utf8(&response.body).unwrap_or_default();
        if witness.is_some_and(|witness| !witness.ended(asked, Ending::Done(body))) {
            return Ok(Reply::Never);
        }
        Ok(visit.protocol.spoiled(fault, response))
    }

    /// The fault that a call meets; `Err` with what the caller gets where it has no effect.
    fn obstacle(
        &self,
        call: &Call,
        of_fault: AccountId,
    ) -> Result<Option<CallFault>, Answer<Reply>> {
        let throttled = || Err(Refusal::new("Throttling", "Rate exceeded"));
        let Call { at, account, region, api, .. } = call;
        if self.quotas_hold && !locked(&self.quotas).take(*account, region, api, *at) {
            return Err(throttled());
        }
        let fault = self.script.fault_of(of_fault, region, api, *at);
        match &fault {
            Some(CallFault::Throttled) => Err(throttled()),
            Some(CallFault::ServerError(status)) => {
                let (code, text) = ("InternalFailure", "An internal error has occurred.");
                Err(Err(Refusal::new(code, text).with_status(*status)))
            }
            Some(CallFault::Refused { code, message }) => {
                Err(Err(Refusal::of_any_service(code, message)))
            }
            Some(CallFault::Unreachable) => Err(Ok(Reply::Broken("connection refused"))),
            Some(_) | None => Ok(fault),
        }
    }

    /// Remembers what was refused for not being simulated.
    fn note(&self, refusal: &Refusal) {
        let unknown_type = refusal.message.contains("Unrecognized resource types");
        if refusal.code == "NotSimulated" || unknown_type {
            locked(&self.log).refuse(refusal.message.clone());
        }
    }

    fn next_request_id(&self) -> String {
        let mut requests = locked(&self.requests);
        *requests += 1;
        let digest = Digest::of(format!("{}/{requests}", self.settings.seed).as_bytes());
        let hex = hex::encode(&digest.as_bytes()[..16]);
        [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
    }
}

/// The right that a call takes.
fn right_of(action: &Action) -> String {
    format!("cloudformation:{}", action.name)
}

fn light_of(fault: Option<&CallFault>) -> Light {
    let as_of = match fault {
        Some(CallFault::AsOf(moment)) => Some(*moment),
        Some(_) | None => None,
    };
    Light { as_of, shifted: fault == Some(&CallFault::PageShifted) }
}

impl Protocol {
    /// The answer that a refusal is.
    fn refused(self, refusal: &Refusal, request_id: &str) -> Response {
        match self {
            Self::Query => Response::xml(refusal.status, refusal.body(request_id)),
            Self::S3 { head } => s3::spoken(refusal, request_id, head),
        }
    }

    /// What a fault leaves of an answer whose effect has happened. An answer without a body can be
    /// late or lost, and that is all.
    fn spoiled(self, fault: Option<CallFault>, response: Response) -> Reply {
        let has_body = self != Self::S3 { head: true };
        let of_body = |fault: &CallFault| match fault {
            CallFault::Malformed | CallFault::Truncated | CallFault::LastPageMissing => true,
            CallFault::Throttled
            | CallFault::ServerError(_)
            | CallFault::Refused { .. }
            | CallFault::AnswerLost
            | CallFault::Unreachable
            | CallFault::Delayed(_)
            | CallFault::AsOf(_)
            | CallFault::PageShifted => false,
        };
        spoiled(fault.filter(|fault| has_body || !of_body(fault)), response)
    }
}

fn spoiled(fault: Option<CallFault>, mut response: Response) -> Reply {
    let mut after = Duration::ZERO;
    match fault {
        Some(CallFault::AnswerLost) => return Reply::Broken("connection reset by peer"),
        Some(CallFault::Malformed) => {
            response.body = b"<html><body>no XML & no answer".to_vec();
            response.length = response.body.len();
        }
        Some(CallFault::Truncated) => response.body.truncate(response.body.len() / 2),
        Some(CallFault::LastPageMissing) => {
            if let Some(rest) = without_next_page(&response.body) {
                response = Response { length: rest.len(), body: rest, ..response };
            }
        }
        Some(CallFault::Delayed(length)) => after = length,
        Some(
            CallFault::Throttled
            | CallFault::ServerError(_)
            | CallFault::Refused { .. }
            | CallFault::Unreachable
            | CallFault::AsOf(_)
            | CallFault::PageShifted,
        )
        | None => {}
    }
    Reply::Answer(response, after)
}

/// A page without the token of the next one.
fn without_next_page(body: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(body).ok()?;
    let (before, rest) = text.split_once("<NextToken>")?;
    let (_, after) = rest.split_once("</NextToken>")?;
    Some([before, after].concat().into_bytes())
}

/// A moment as headers tell it.
pub(crate) fn http_date(moment: Moment) -> String {
    let date = DateTime::from(moment.as_system_time());
    date.fmt(Format::HttpDate).unwrap_or_default()
}

/// A panic elsewhere must not hide what it left behind.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
