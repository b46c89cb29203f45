//! A server of random faults, from a seed: whatever it does, no call arrives more often than it was sent, nothing that
//! arrived is said not to have been sent, nothing torn is an answer, and each call ends in time.

use std::{
    collections::HashMap,
    env,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use cometly_core::{Api, AuthOutcome, Call, Delivery};

use crate::{
    Arrivals, BoxError, Case, Gap, Played, Sent, Settings, Stage,
    cases::cases,
    fault_server::{Act, Answer, Received, Script},
};

pub(super) const CASES: &[Case] = cases![
    a_server_of_random_faults_gets_no_call_twice_where_connections_are_kept,
    a_server_of_random_faults_gets_no_call_twice_where_none_is_kept,
];

/// How many calls are sent: 200, or what this variable says; 2,000 for a full run.
const CALLS: &str = "COMETLY_CONFORMANCE_CALLS";
/// Another seed than 1.
const SEED: &str = "COMETLY_CONFORMANCE_SEED";
const CALLERS: usize = 16;
const DEADLINE: Duration = Duration::from_secs(1);
/// The deadline, and the larger of a tenth of it and half a second.
const AT_MOST: Duration = Duration::from_millis(1_500);
/// Many frames and writes; more would keep the machine busy with the records that the suite takes of each.
const LARGE: usize = 1 << 20;

fn a_server_of_random_faults_gets_no_call_twice_where_connections_are_kept(stage: &Stage<'_>) -> Played {
    play(stage, &Settings::default().reuse(true))
}

fn a_server_of_random_faults_gets_no_call_twice_where_none_is_kept(stage: &Stage<'_>) -> Played {
    play(stage, &Settings::default().reuse(false))
}

fn play(stage: &Stage<'_>, settings: &Settings) -> Played {
    let number = |name: &str, default: u64| match env::var(name) {
        Ok(text) => text.parse().map_err(|_| format!("{name} is no number: {text}")),
        Err(_) => Ok(default),
    };
    let (calls, seed) = (usize::try_from(number(CALLS, 200)?)?, number(SEED, 1)?);
    // What the stack is known to take for an answer.
    let mut spared = Vec::new();
    if stage.has_gap(Gap::InformationalAnswers) {
        spared.push(Fault::Informational);
    }
    if stage.has_gap(Gap::BrokenEnds) {
        spared.push(Fault::ResetUntilClose);
    }
    // libcurl takes what comes late for the next answer, where it keeps connections; the docs of cometly-isahc say so.
    if stage.flavour().starts_with("isahc") && settings.reuse == Some(true) {
        spared.push(Fault::Unsolicited);
    }
    let planned = move |id| Plan::of(seed, id, &spared);
    let script = planned.clone();
    let server = stage
        .serve(Script::by(move |_, request| id(request).map_or_else(Answer::close, |id| script(id).answer(id))))?;
    let (api, client) = (stage.api(&server.base_url())?, stage.connect(&settings.clone().deadline(DEADLINE))?);
    let client = &*client;
    let is_over = AtomicBool::new(false);
    let (sent, lateness) = thread::scope(|scope| {
        let watch = scope.spawn(|| lateness(&is_over));
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let timed = |id: usize| {
                    let begun = Instant::now();
                    (id, client.send(call(&api, id)), begun.elapsed())
                };
                scope.spawn(move || (caller..calls).step_by(CALLERS).map(timed).collect::<Vec<_>>())
            })
            .collect();
        let sent: Vec<(usize, Sent, Duration)> =
            callers.into_iter().flat_map(|caller| caller.join().unwrap_or_default()).collect();
        is_over.store(true, Ordering::Relaxed);
        (sent, watch.join().unwrap_or_default())
    });
    assert_eq!(sent.len(), calls, "a call panicked");
    let mut arrivals: HashMap<usize, usize> = HashMap::new();
    for id in server.requests().iter().filter_map(id) {
        let count = arrivals.entry(id).or_default();
        *count = count.saturating_add(1);
    }
    for (id, sent, took) in sent {
        let plan = planned(id);
        let arrived = arrivals.get(&id).copied().unwrap_or_default();
        let shown = format!("{sent:?}");
        check(id, &plan, stage.noted(sent), arrived, took.saturating_sub(lateness))
            .map_err(|error| format!("seed {seed}, call {id}, {plan:?}: {error}: {shown}"))?;
    }
    Ok(Arrivals::checked_by_the_case())
}

/// By how much a thread of this machine is woken too late, at worst: so much is not the client's fault.
fn lateness(is_over: &AtomicBool) -> Duration {
    const NAP: Duration = Duration::from_millis(20);
    let mut worst = Duration::ZERO;
    while !is_over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        thread::sleep(NAP);
        worst = worst.max(begun.elapsed().saturating_sub(NAP));
    }
    worst
}

/// By turns a GET, a small POST, a GET, and a large POST.
fn call(api: &Api, id: usize) -> Call {
    match id % 4 {
        1 => api.post("events/{id}").segment(id).json(&id),
        3 => {
            api.post("events/{id}").segment(id).body(Bytes::from(vec![b'7'; if id % 8 == 3 { LARGE } else { 40_000 }]))
        }
        _ => api.get("events/{id}").segment(id),
    }
}

fn id(request: &Received) -> Option<usize> {
    let line = request.request_line();
    let (_, rest) = line.split_once("/events/")?;
    rest.split(' ').next()?.parse().ok()
}

fn check(id: usize, plan: &Plan, sent: Sent, arrived: usize, took: Duration) -> Result<(), BoxError> {
    if took > AT_MOST {
        return Err(format!("it ended after {took:?}").into());
    }
    if arrived > 1 && id % 2 == 1 {
        return Err(format!("the POST arrived {arrived} times").into());
    }
    match sent {
        Err(error) => match error.delivery() {
            Some(Delivery::NotSent | Delivery::Untrusted) if arrived > 0 => Err("it arrived".into()),
            // A kept connection may have been spoilt by the call before.
            _ => Ok(()),
        },
        Ok(outcome) if plan.is_torn && matches!(outcome, AuthOutcome::Unexpected(..)) => Ok(()),
        Ok(_) if plan.is_torn => Err("a torn answer was taken for one".into()),
        Ok(outcome) if outcome.error().is_none() => {
            let reply = outcome.into_result()?;
            if plan.status == 200 && reply.into_body() == body(id) {
                return Ok(());
            }
            Err("the answer belongs to no call, or to another one".into())
        }
        Ok(outcome) if outcome.status().as_u16() == plan.status => Ok(()),
        Ok(_) => Err("the status belongs to no call, or to another one".into()),
    }
}

fn body(id: usize) -> String {
    format!(r#"{{"message":"answer to {id}"}}"#)
}

/// What is done for one call.
#[derive(Debug)]
struct Plan {
    fault: Fault,
    status: u16,
    /// Whether no answer came whole.
    is_torn: bool,
    /// A number for what is left to choose.
    chance: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    Chunked,
    UntilClose,
    Informational,
    Unsolicited,
    BeforeBody,
    Dripping,
    // From here on, no answer is whole.
    Close,
    Reset,
    TornHead,
    TornBody,
    TornChunks,
    ResetUntilClose,
    EndlessSize,
    EndlessHead,
    EndlessInformational,
    Silence,
    SlowRead,
    Garbage,
}

const FAULTS: [Fault; 24] = [
    Fault::None,
    Fault::None,
    Fault::None,
    Fault::None,
    Fault::Chunked,
    Fault::Chunked,
    Fault::UntilClose,
    Fault::Informational,
    Fault::Unsolicited,
    Fault::Unsolicited,
    Fault::BeforeBody,
    Fault::Dripping,
    Fault::Close,
    Fault::Reset,
    Fault::TornHead,
    Fault::TornHead,
    Fault::TornBody,
    Fault::TornChunks,
    Fault::ResetUntilClose,
    Fault::EndlessSize,
    Fault::EndlessHead,
    Fault::EndlessInformational,
    Fault::SlowRead,
    Fault::Garbage,
];

const STATUSES: [u16; 10] = [200, 200, 200, 200, 401, 403, 404, 422, 429, 500];

impl Plan {
    fn of(seed: u64, id: usize, spared: &[Fault]) -> Self {
        let chance = mixed(seed.wrapping_mul(0x9e37_79b9).wrapping_add(u64::try_from(id).unwrap_or_default()));
        let fault = match chance % 97 {
            // Costs a caller its whole deadline.
            0 => Fault::Silence,
            _ => pick(&FAULTS, chance >> 8).unwrap_or(Fault::None),
        };
        let fault = if spared.contains(&fault) { Fault::None } else { fault };
        let is_torn = !matches!(
            fault,
            Fault::None
                | Fault::Chunked
                | Fault::UntilClose
                | Fault::Informational
                | Fault::Unsolicited
                | Fault::BeforeBody
                | Fault::Dripping
        );
        Self { fault, status: pick(&STATUSES, chance >> 24).unwrap_or(200), is_torn, chance: chance >> 32 }
    }

    fn answer(&self, id: usize) -> Answer {
        let body = body(id);
        let (status, len) = (self.status, body.len());
        let head = format!("HTTP/1.1 {status} Scripted\r\nContent-Type: application/json\r\n");
        let whole = format!("{head}Content-Length: {len}\r\n\r\n{body}");
        let (first, second) = body.split_at(len / 2);
        let (a, b) = (first.len(), second.len());
        let chunks = format!("{head}Transfer-Encoding: chunked\r\n\r\n{a:x}\r\n{first}\r\n{b:x}\r\n{second}\r\n");
        let cut = |text: &str| {
            let at = below(text.len(), self.chance);
            Bytes::copy_from_slice(text.as_bytes().get(..at).unwrap_or_default())
        };
        let end = if self.chance.is_multiple_of(2) { Act::Close } else { Act::Reset };
        let pause = Act::Pause(Duration::from_millis(30));
        let endless = |bytes: &'static [u8]| Act::Repeat {
            bytes: Bytes::from_static(bytes),
            every: Duration::from_millis(1),
            times: 3_000,
        };
        match self.fault {
            Fault::None => Answer::raw(whole),
            Fault::Chunked => Answer::raw(format!("{chunks}0\r\n\r\n")),
            Fault::UntilClose => Answer::raw(format!("{head}\r\n{body}")).then_close(),
            Fault::Informational => Answer::raw(format!("HTTP/1.1 103 Early Hints\r\nX: 1\r\n\r\n{whole}")),
            Fault::Unsolicited => {
                const FORGED: &str = r#"{"message":"forged"}"#;
                let forged = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{FORGED}", FORGED.len());
                // In one piece: of bytes that come later, nothing shows whether they answer the next request.
                Answer::raw(format!("{whole}{forged}"))
            }
            Fault::BeforeBody => Answer::raw(whole).before_body().then(pause).then(end),
            Fault::Dripping => {
                let acts = whole.into_bytes().chunks(16).map(Bytes::copy_from_slice).collect::<Vec<_>>();
                let acts = acts.into_iter().flat_map(|bytes| [Act::Write(bytes), Act::Pause(Duration::from_millis(2))]);
                Answer::new(acts.collect())
            }
            Fault::Close => Answer::close(),
            Fault::Reset => Answer::reset(),
            Fault::TornHead => Answer::raw(cut(&format!("{head}Content-Length: {len}\r\n"))).then(pause).then(end),
            Fault::TornBody => Answer::raw(format!("{head}Content-Length: {len}\r\n\r\n{first}")).then(pause).then(end),
            Fault::TornChunks => Answer::raw(chunks).then(pause).then(end),
            Fault::ResetUntilClose => Answer::raw(format!("{head}\r\n{body}")).then(pause).then(Act::Reset),
            Fault::EndlessSize => {
                Answer::raw(format!("{head}Transfer-Encoding: chunked\r\n\r\n")).then(endless(&[b'0'; 64]))
            }
            Fault::EndlessHead => Answer::raw(format!("{head}X: ")).then(endless(&[b'x'; 1024])),
            Fault::EndlessInformational => {
                Answer::new(vec![endless(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")])
            }
            Fault::Silence => Answer::silence(),
            Fault::SlowRead => Answer::new(vec![Act::Pause(Duration::from_millis(600)), end]).before_body(),
            Fault::Garbage => {
                let bytes: Vec<u8> = (0..200).map(|n| mixed(self.chance.wrapping_add(n)).to_le_bytes()[0]).collect();
                Answer::raw(bytes).then(pause).then(end)
            }
        }
    }
}

fn pick<T: Copy>(from: &[T], chance: u64) -> Option<T> {
    from.get(below(from.len(), chance)).copied()
}

/// A place in what is this long.
fn below(len: usize, chance: u64) -> usize {
    usize::try_from(chance).unwrap_or_default().checked_rem(len).unwrap_or_default()
}

/// `SplitMix64`.
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
