//! What a server of random faults does for each call: drawn from a seed, so that a run can be had again.

use std::time::Duration;

use bytes::Bytes;

use crate::fault_server::{Act, Answer};

/// Many frames and writes; more would keep the machine busy with the records that the suite takes of each.
pub(super) const LARGE: usize = 1 << 20;

const FORGED: &str = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"message\":\"forged\"}";

/// The body that belongs to a call; every eighth is long.
pub(super) fn body(id: usize) -> String {
    let pad = "x".repeat(if id % 8 == 4 { 100_000 } else { 0 });
    format!(r#"{{"message":"answer to {id}","pad":"{pad}"}}"#)
}

/// What is done for one call.
#[derive(Debug)]
pub(super) struct Plan {
    fault: Fault,
    pub(super) status: u16,
    /// A number for what is left to choose.
    chance: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    Chunked,
    UntilClose,
    Informational,
    Unsolicited,
    BeforeBody,
    Dripping,
    BothLengths,
    SameLengthTwice,
    // From here on, no answer is whole, or none is readable.
    Close,
    Reset,
    TornHead,
    TornBody,
    TornChunks,
    ResetUntilClose,
    EndlessSize,
    EndlessHead,
    EndlessInformational,
    EndlessBody,
    Encoded,
    Switching,
    ForgedBehindNoContent,
    Silence,
    SlowRead,
    Garbage,
}

const FAULTS: [Fault; 32] = [
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
    Fault::BothLengths,
    Fault::SameLengthTwice,
    Fault::Close,
    Fault::Reset,
    Fault::TornHead,
    Fault::TornHead,
    Fault::TornBody,
    Fault::TornBody,
    Fault::TornChunks,
    Fault::TornChunks,
    Fault::ResetUntilClose,
    Fault::EndlessSize,
    Fault::EndlessHead,
    Fault::EndlessInformational,
    Fault::EndlessBody,
    Fault::Encoded,
    Fault::Switching,
    Fault::ForgedBehindNoContent,
    Fault::SlowRead,
    Fault::Garbage,
];

const STATUSES: [u16; 10] = [200, 200, 200, 200, 401, 403, 404, 422, 429, 500];

impl Plan {
    pub(super) fn of(seed: u64, id: usize, spared: &[Fault]) -> Self {
        let chance = mixed(seed.wrapping_mul(0x9e37_79b9).wrapping_add(u64::try_from(id).unwrap_or_default()));
        let fault = match chance % 97 {
            // Costs a caller its whole deadline.
            0 => Fault::Silence,
            _ => pick(&FAULTS, chance >> 8).unwrap_or(Fault::None),
        };
        let fault = if spared.contains(&fault) { Fault::None } else { fault };
        Self { fault, status: pick(&STATUSES, chance >> 24).unwrap_or(200), chance: chance >> 32 }
    }

    /// Whether an answer comes whole and can be read.
    pub(super) fn is_whole(&self) -> bool {
        use Fault::{
            BeforeBody, BothLengths, Chunked, Dripping, Informational, None, SameLengthTwice, Unsolicited, UntilClose,
        };
        matches!(
            self.fault,
            None | Chunked
                | UntilClose
                | Informational
                | Unsolicited
                | BeforeBody
                | Dripping
                | BothLengths
                | SameLengthTwice
        )
    }

    /// Whether there is always another piece of its body.
    pub(super) fn is_endless(&self) -> bool {
        self.fault == Fault::EndlessBody
    }

    /// Whether an answer may be a refusal: of some, the status alone decides, and not the body that cannot be read.
    pub(super) fn may_be_refused(&self) -> bool {
        self.is_whole() || self.fault == Fault::Encoded
    }

    pub(super) fn answer(&self, id: usize) -> Answer {
        let body = body(id);
        let (status, len) = (self.status, body.len());
        let head = format!("HTTP/1.1 {status} Scripted\r\nContent-Type: application/json\r\n");
        let whole = format!("{head}Content-Length: {len}\r\n\r\n{body}");
        let (first, second) = body.split_at(below(len, self.chance >> 8).max(1));
        let (a, b) = (first.len(), second.len());
        let chunks = format!("{a:x}\r\n{first}\r\n{b:x}\r\n{second}\r\n");
        let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunks}");
        let cut = |text: &str| {
            let at = below(text.len(), self.chance);
            Bytes::copy_from_slice(text.as_bytes().get(..at).unwrap_or_default())
        };
        let end = if self.chance.is_multiple_of(2) { Act::Close } else { Act::Reset };
        let pause = Act::Pause(Duration::from_millis(30));
        let endless = |bytes: &[u8]| Act::Repeat {
            bytes: Bytes::copy_from_slice(bytes),
            every: Duration::from_millis(1),
            times: 3_000,
        };
        match self.fault {
            Fault::None => Answer::raw(whole),
            Fault::Chunked => Answer::raw(format!("{chunked}0\r\n\r\n")),
            Fault::UntilClose => Answer::raw(format!("{head}\r\n{body}")).then_close(),
            Fault::Informational => {
                let hints = ["100 Continue", "102 Processing", "103 Early Hints"];
                let hint = pick(&hints, self.chance).unwrap_or_default();
                let hints = format!("HTTP/1.1 {hint}\r\nX: 1\r\n\r\n").repeat(below(3, self.chance >> 8).max(1));
                Answer::raw(format!("{hints}{whole}"))
            }
            // In one piece: of bytes that come later, nothing shows whether they answer the next request.
            Fault::Unsolicited => Answer::raw(format!("{whole}{FORGED}")),
            Fault::BeforeBody => Answer::raw(whole).before_body().then(pause).then(end),
            Fault::Dripping => {
                let size = (whole.len() / 16).max(16);
                let acts = whole.into_bytes().chunks(size).map(Bytes::copy_from_slice).collect::<Vec<_>>();
                let acts = acts.into_iter().flat_map(|bytes| [Act::Write(bytes), Act::Pause(Duration::from_millis(2))]);
                Answer::new(acts.collect())
            }
            // RFC 9112 §6.3: the chunks count. The length lies.
            Fault::BothLengths => Answer::raw(format!(
                "{head}Content-Length: 10\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n{chunks}0\r\n\r\n"
            ))
            .then_close(),
            Fault::SameLengthTwice => Answer::raw(format!("{head}Content-Length: {len}, {len}\r\n\r\n{body}")),
            Fault::Close => Answer::close(),
            Fault::Reset => Answer::reset(),
            Fault::TornHead => Answer::raw(cut(&format!("{head}Content-Length: {len}\r\n"))).then(pause).then(end),
            Fault::TornBody => Answer::raw(format!("{head}Content-Length: {len}\r\n\r\n{first}")).then(pause).then(end),
            Fault::TornChunks => Answer::raw(chunked).then(pause).then(end),
            Fault::ResetUntilClose => Answer::raw(format!("{head}\r\n{body}")).then(pause).then(Act::Reset),
            Fault::EndlessSize => {
                Answer::raw(format!("{head}Transfer-Encoding: chunked\r\n\r\n")).then(endless(&[b'0'; 64]))
            }
            Fault::EndlessHead => Answer::raw(format!("{head}X: ")).then(endless(&[b'x'; 1024])),
            Fault::EndlessInformational => {
                Answer::new(vec![endless(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")])
            }
            Fault::EndlessBody => {
                let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
                Answer::raw(format!("{head}Transfer-Encoding: chunked\r\n\r\n1\r\n{{\r\n"))
                    .then(endless(chunk.as_bytes()))
            }
            Fault::Encoded => {
                let encoding = pick(&["gzip", "br", "deflate", "zstd", "aws-chunked"], self.chance).unwrap_or_default();
                Answer::raw(format!("{head}Content-Encoding: {encoding}\r\nContent-Length: {len}\r\n\r\n{body}"))
            }
            Fault::Switching => {
                let head = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
                Answer::raw(format!("{head}{FORGED}")).then(pause).then(end)
            }
            Fault::ForgedBehindNoContent => {
                let len = FORGED.len();
                Answer::raw(format!("HTTP/1.1 204 No Content\r\nContent-Length: {len}\r\n\r\n{FORGED}"))
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

pub(super) fn pick<T: Copy>(from: &[T], chance: u64) -> Option<T> {
    from.get(below(from.len(), chance)).copied()
}

/// An index below `len`.
pub(super) fn below(len: usize, chance: u64) -> usize {
    usize::try_from(chance).unwrap_or_default().checked_rem(len).unwrap_or_default()
}

/// `SplitMix64`.
pub(super) fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
