//! The calls of one flavour, 64 at once.

use std::{
    io::{self, Write as _},
    process,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use cometly_conformance::{BoxError, ClientUnderTest, Sent, Settings, Transport, adapters};
use cometly_core::{Api, ApiError, ApiKey, AuthOutcome, Call, RetryBudget, RetryPolicy};
use serde_json::{Value, json};

use crate::{
    MAX_BODY,
    gauge::{Gauge, Sample},
    plan::{Again, CONTACTS, NOT_SENT, Random, STEPS, Step, TRIES, draw, told},
};

const CALLERS: u64 = 64;
/// Far beyond all that is late.
const TRY_TIMEOUT: Duration = Duration::from_secs(5);
/// Until the last call has ended and the client is gone.
const GRACE: Duration = Duration::from_secs(60);
/// The first wrong outcomes are printed.
const TOLD: usize = 10;

/// Sends calls for so long, and says what came of it.
pub(crate) fn run(flavour: &str, time: Duration, seed: u64) -> Result<(), BoxError> {
    thread::spawn(move || {
        thread::sleep(time.saturating_add(GRACE));
        // Something hangs.
        process::exit(3);
    });
    let flavour = adapters::all().into_iter().find(|one| one.name() == flavour).ok_or("no such flavour")?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    let places = Places::of(&serde_json::from_str(&line)?)?;
    let tally = Tally::default();
    // What is made once and kept, a runtime, a timer's thread, a certificate store, is made for the first client.
    tally.play_at_once(&*connect(&*flavour)?, &places, Duration::ZERO, seed);
    thread::sleep(Duration::from_secs(1));
    let start = Sample::take()?;

    let (gauge, client) = (Gauge::start(time), connect(&*flavour)?);
    tally.play_at_once(&*client, &places, time, seed.wrapping_add(1 << 32));
    let (first, last) = gauge.thirds().ok_or("there was no time to measure")?;
    drop(client);
    let mut end = Sample::take()?;
    for _ in 0..100 {
        if end.is_back_to(&start) {
            break;
        }
        thread::sleep(Duration::from_millis(100));
        end = Sample::take()?;
    }
    let samples = [("start", start), ("first", first), ("last", last), ("end", end)];
    let samples = samples.map(|(name, sample)| (name.to_owned(), sample.to_json()));
    let mut told = tally.to_json();
    if let Some(told) = told.as_object_mut() {
        told.extend(samples);
    }
    writeln!(io::stdout(), "{told}")?;
    Ok(())
}

fn connect(flavour: &dyn ClientUnderTest) -> Result<Box<dyn Transport>, BoxError> {
    let policy = RetryPolicy::default()
        .initial_backoff(Duration::from_millis(20))
        .max_backoff(Duration::from_millis(100))
        .max_attempts(u32::try_from(TRIES)?)
        // Else what becomes of a call would depend on the others.
        .budget(RetryBudget::with_reserve(u32::MAX));
    let mut settings = Settings::default().retry_policy(policy).max_body_size(MAX_BODY);
    settings.limits.attempt_timeout = Some(TRY_TIMEOUT);
    flavour.connect(&settings)?.ok_or_else(|| "every flavour has these settings".into())
}

/// The servers, as the API of each.
struct Places {
    plain: Api,
    tls: Api,
    closing: Api,
    emulator: Api,
    dead: Api,
    /// Held while the server that hangs up is called: the next call must find that it did.
    hung_up: Mutex<()>,
}

impl Places {
    fn of(told: &Value) -> Result<Self, BoxError> {
        let text = |name| told.get(name).and_then(Value::as_str).ok_or("the server says where it is");
        let key = ApiKey::new(text("key")?)?;
        let api =
            |name| -> Result<Api, BoxError> { Ok(Api::builder(key.clone()).base_url(text(name)?.parse()?).build()) };
        Ok(Self {
            plain: api("plain")?,
            tls: api("tls")?,
            closing: api("closing")?,
            emulator: api("emulator")?,
            dead: api("dead")?,
            hung_up: Mutex::new(()),
        })
    }
}

/// What was sent and what came of it.
#[derive(Default)]
struct Tally {
    calls: AtomicUsize,
    plain: AtomicUsize,
    tls: AtomicUsize,
    closing: AtomicUsize,
    emulator: AtomicUsize,
    faults: AtomicUsize,
    wrong: AtomicUsize,
}

/// What must become of a call.
struct Expected {
    outcome: &'static str,
    tries: usize,
    /// What the body of a success must hold.
    body: String,
}

impl Tally {
    /// Each caller plays at least one call, and another one as long as there is time.
    fn play_at_once(&self, client: &dyn Transport, places: &Places, time: Duration, seed: u64) {
        let begun = Instant::now();
        thread::scope(|scope| {
            for caller in 1..=CALLERS {
                scope.spawn(move || {
                    let mut random = Random(seed ^ caller.wrapping_mul(0xd134_2543_de82_ef95));
                    loop {
                        self.play(client, places, Random(random.next()));
                        if begun.elapsed() >= time {
                            break;
                        }
                    }
                });
            }
        });
    }

    /// One call, wherever chance sends it.
    fn play(&self, client: &dyn Transport, places: &Places, mut random: Random) {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        match random.below(100) {
            0..50 => self.scripted(client, &places.plain, &self.plain, number, random),
            50..62 => self.scripted(client, &places.tls, &self.tls, number, random),
            62..95 => self.emulated(client, &places.emulator, random),
            95..98 => self.hung_up(client, places, random),
            _ => {
                let call = either(&places.dead, "events", &mut random);
                self.faults.fetch_add(TRIES, Ordering::Relaxed);
                let expected = Expected { outcome: NOT_SENT, tries: TRIES, body: String::new() };
                self.compare(&expected, "a dead port", &client.send(call));
            }
        }
    }

    /// A call whose every attempt is drawn here and written into its path.
    fn scripted(&self, client: &dyn Transport, api: &Api, tries: &AtomicUsize, number: usize, mut random: Random) {
        let call = either(api, "soak/{number}/{plan}", &mut random).segment(number);
        let mut steps: Vec<&Step> = Vec::with_capacity(TRIES);
        while let Some((_, step)) = draw(STEPS, random.next()) {
            steps.push(step);
            if steps.len() == TRIES || !goes_on(step, &call) {
                break;
            }
        }
        self.faults.fetch_add(steps.iter().filter(|step| step.name != "fine").count(), Ordering::Relaxed);
        let plan = steps.iter().map(|step| step.name).collect::<Vec<_>>().join(".");
        let outcome = steps.last().map_or("", |step| step.outcome);
        let expected = Expected { outcome, tries: steps.len(), body: format!("{{\"call\":{number}}}") };
        let sent = client.send(call.segment(&plan));
        tries.fetch_add(self.compare(&expected, &plan, &sent), Ordering::Relaxed);
    }

    /// A call to the emulator, which has a fault for each contact, or one that it takes in.
    fn emulated(&self, client: &dyn Transport, api: &Api, mut random: Random) {
        if random.below(4) == 0 {
            let event = json!({ "event_name": "purchase", "email": "a@example.com", "order_id": random.next() });
            let expected = Expected { outcome: "Success, 202", tries: 1, body: String::new() };
            let sent = client.send(api.post("events/track").json(&event));
            self.emulator.fetch_add(self.compare(&expected, "an event", &sent), Ordering::Relaxed);
            return;
        }
        let Some((place, step)) = draw(CONTACTS, random.next()) else { return };
        let contact = place.saturating_add(1);
        let call = api.get("contacts/{id}").segment(contact);
        let tries = if goes_on(step, &call) { TRIES } else { 1 };
        self.faults.fetch_add(tries, Ordering::Relaxed);
        let expected = Expected { outcome: step.outcome, tries, body: format!("\"id\":{contact},") };
        self.emulator.fetch_add(self.compare(&expected, step.name, &client.send(call)), Ordering::Relaxed);
    }

    /// A call to the server that hangs up after each answer, without a word: the connection that was kept is dead.
    fn hung_up(&self, client: &dyn Transport, places: &Places, mut random: Random) {
        let Ok(_one) = places.hung_up.try_lock() else { return self.emulated(client, &places.emulator, random) };
        // Until the client can have seen it.
        thread::sleep(Duration::from_millis(200));
        let call = either(&places.closing, "events", &mut random);
        self.faults.fetch_add(1, Ordering::Relaxed);
        let expected = Expected { outcome: "Success, 200", tries: 1, body: "{}".into() };
        self.closing.fetch_add(self.compare(&expected, "hung up", &client.send(call)), Ordering::Relaxed);
    }

    /// Compares what became of a call with what should have, and says how often it was sent.
    fn compare(&self, expected: &Expected, plan: &str, sent: &Sent) -> usize {
        let tries = match sent {
            Ok(AuthOutcome::Success(reply)) => reply.attempts(),
            Ok(outcome) => outcome.error().map_or(0, ApiError::attempts),
            Err(error) => error.attempts(),
        };
        let tries = usize::try_from(tries).unwrap_or(usize::MAX);
        let is_own = match sent {
            Ok(AuthOutcome::Success(reply)) => String::from_utf8_lossy(reply.body()).contains(&expected.body),
            _ => true,
        };
        let outcome = told(sent);
        let is_wrong = outcome != expected.outcome || tries != expected.tries || !is_own;
        if is_wrong && self.wrong.fetch_add(1, Ordering::Relaxed) < TOLD {
            let (want, wanted) = (expected.outcome, expected.tries);
            let text = format!("{plan}: wanted {want} in {wanted} tries, got {outcome} in {tries}, own: {is_own}\n");
            let _ = io::stderr().write_all(text.as_bytes());
        }
        tries
    }

    fn to_json(&self) -> Value {
        let number = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        json!({
            "calls": number(&self.calls),
            "tries": {
                "plain": number(&self.plain),
                "tls": number(&self.tls),
                "closing": number(&self.closing),
                "emulator": number(&self.emulator),
            },
            "faults": number(&self.faults),
            "wrong": number(&self.wrong),
        })
    }
}

/// A call that may be sent again, by its method or by its mark, or that may not.
fn either(api: &Api, path: &'static str, random: &mut Random) -> Call {
    match random.below(4) {
        0 | 1 => api.get(path),
        2 => api.post(path).json("x"),
        _ => api.post(path).json("x").idempotent(),
    }
}

fn goes_on(step: &Step, call: &Call) -> bool {
    match step.again {
        Again::Never => false,
        Again::IfHarmless => call.is_idempotent(),
        Again::Always => true,
    }
}
