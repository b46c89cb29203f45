//! The places in a library that call what panics, and whose source each is in.

use std::{path::Path, process::Command};

use crate::{Result, tool};

use super::{CORE, PROBE};

/// Calls of these are counted apart.
const MEMORY: [&str; 3] = ["handle_error", "capacity_overflow", "handle_alloc_error"];

/// Branches that no input reaches, and that std's own functions or the compiler keep all the same: what is called, in which
/// function of std's as it is mangled (the empty text for the compiler's own), and why it is not reached.
const UNREACHABLE: [(&str, &str, &str); 8] = [
    ("expect_failed", "8Duration3new", "a `Duration` holds less than a second of nanoseconds"),
    ("panic_fmt", "7upgrade", "an `Arc` has fewer than 2^63 owners"),
    ("unwrap_failed", "14spec_to_string", "no `Display` that is made a text here fails"),
    ("unwrap_failed", "7Instant3now", "the clock of `Moment::now` is there"),
    ("panic_in_cleanup", "7Instant3now", "the clock of `Moment::now` is there"),
    ("slice_index_fail", "3sys3env4unix", "`env::vars_os` divides a variable at a place within it"),
    ("panic_in_cleanup", "3sys3env4unix", "`env::vars_os` divides a variable at a place within it"),
    ("panic_const_async_fn_resumed", "", "a future is not polled after its end, says `Future::poll`"),
];

/// Where std and what it is made of were compiled.
const STD: [&str; 3] = ["/rustc/", "/rustlib/src/", "/rust/deps/"];

pub(super) struct Site {
    /// The crate.
    pub(super) owner: String,
    pub(super) is_memory: bool,
    /// What calls.
    pub(super) function: String,
    /// What is called.
    pub(super) callee: String,
    /// File and line, of the owner.
    pub(super) place: String,
    /// Why it is not reached, if it is a branch of std's or the compiler's.
    pub(super) unreachable: Option<&'static str>,
}

/// A call as the disassembly shows it.
struct Call {
    address: String,
    function: String,
    callee: String,
}

pub(super) fn read(library: &Path) -> Result<Vec<Site>> {
    let mut objdump = Command::new("objdump");
    let text = tool::output(objdump.args(["--disassemble", "--demangle", "--no-show-raw-insn"]).arg(library))?;
    let calls = calls(&text);
    let mut addr2line = Command::new("addr2line");
    addr2line.args(["--addresses", "--inlines", "--functions", "--exe"]).arg(library);
    let frames = tool::output(addr2line.args(calls.iter().map(|call| &call.address)))?;
    // Each begins with its address, and then has a line for the function and one for the place, from the innermost on.
    let frames = frames.split("\n0x").map(|frames| {
        let of = |first| frames.lines().skip(first).step_by(2);
        of(1).zip(of(2)).collect::<Vec<_>>()
    });
    let sites: Vec<Site> = calls.into_iter().zip(frames).map(|(call, frames)| site(call, &frames)).collect();
    if sites.is_empty() {
        return Err(
            "there is not one call of what panics, not even in std: is this an x86-64 or AArch64 library?".into()
        );
    }
    Ok(sites)
}

/// Calls, and jumps that take the place of one, of what panics, but for those in there.
fn calls(disassembly: &str) -> Vec<Call> {
    let (mut calls, mut function) = (Vec::new(), "");
    for line in disassembly.lines() {
        // `000000000001a2b0 <core::option::unwrap_failed>:` begins a function.
        if let Some((_, name)) = line.strip_suffix(">:").and_then(|line| line.split_once(" <")) {
            function = name;
            continue;
        }
        // `   2caa1:  call   1a2b0 <core::option::unwrap_failed>` calls one; a `+` would be within one.
        let Some((address, instruction)) = line.trim_start().split_once(":\t") else { continue };
        let Some((_, callee)) = instruction.strip_suffix('>').and_then(|instruction| instruction.split_once(" <"))
        else {
            continue;
        };
        if is_end(callee) && !is_end(function) && !callee.contains("+0x") {
            calls.push(Call { address: address.to_owned(), function: function.to_owned(), callee: callee.to_owned() });
        }
    }
    calls
}

/// Whether a function never returns: by its own name, which all of std's and their like say plainly.
fn is_end(function: &str) -> bool {
    let name = own_name(function);
    let ends = ["_fail", "_failed"].iter().any(|end| name.ends_with(end));
    ends || ["panic", "abort"].iter().any(|word| name.contains(word)) || MEMORY.contains(&name)
}

/// `unwrap` of `<core::option::Option<u8>>::unwrap::<T>`.
fn own_name(function: &str) -> &str {
    let function = function.strip_suffix("@plt").unwrap_or(function);
    let function = match function.rfind("::<") {
        Some(generics) if function.ends_with('>') => function.get(..generics).unwrap_or(function),
        _ => function,
    };
    function.rsplit("::").next().unwrap_or(function)
}

/// `frames` are a function and its place each.
fn site(call: Call, frames: &[(&str, &str)]) -> Site {
    let is_memory = MEMORY.contains(&own_name(&call.callee));
    let outside = frames.iter().map(|(_, place)| (owner(place), *place)).find(|(owner, _)| owner != "std");
    let (owner, place) = match outside {
        // A generic of std's, made for the core: whatever it panics at was the core's to know.
        _ if call.function.contains("cometly_core") && outside.is_none() => (CORE.to_owned(), "std"),
        Some((owner, place)) => (owner, place),
        None => ("std".to_owned(), "std"),
    };
    let callee = own_name(&call.callee);
    let is_known = |(name, within, _): &&(&str, &str, &str)| {
        let mut of_std = frames.iter().take_while(|(_, place)| self::owner(place) == "std");
        *name == callee && (within.is_empty() || of_std.any(|(function, _)| function.contains(within)))
    };
    let unreachable = UNREACHABLE.iter().find(is_known).map(|(_, _, why)| *why);
    Site { owner, is_memory, place: place.to_owned(), function: call.function, callee: call.callee, unreachable }
}

/// The crate whose source a file is.
fn owner(place: &str) -> String {
    let after = |mark: &str| place.split_once(mark).and_then(|(_, rest)| rest.split('/').next());
    if STD.iter().any(|folder| place.contains(folder)) {
        return "std".to_owned();
    }
    if let Some(package) = place.split_once("/registry/src/").and_then(|(_, rest)| rest.split('/').nth(1)) {
        let digit = |rest: &str| rest.starts_with(|char: char| char.is_ascii_digit());
        let version = package.match_indices('-').find(|(at, _)| package.get(at.saturating_add(1)..).is_some_and(digit));
        return package.get(..version.map_or(package.len(), |(at, _)| at)).unwrap_or(package).to_owned();
    }
    match (after("/crates/"), place.contains("/proof/panics/")) {
        (_, true) => PROBE.to_owned(),
        (Some(name), false) => name.to_owned(),
        // Of std's own dependencies, some have no lines.
        (None, false) if !place.contains('/') => "std".to_owned(),
        (None, false) => "unknown".to_owned(),
    }
}
