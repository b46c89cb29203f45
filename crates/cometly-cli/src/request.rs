//! `cometly request`: any call of the API. Method, path, query and body come from the command line; the answer's body goes
//! to stdout as it came. With `--paginate` the call is repeated with each page's cursor, and each item is a line.

mod body;
mod target;

use cometly_core::{
    Api, Call, Reply,
    http::{HeaderValue, Method},
};

use crate::{
    arguments::{Global, RequestArguments},
    auth::session::Session,
    dry_run,
    exit::Exit,
    failure::Failure,
    job::Job,
    lists::{self, Listed},
    pair,
    request::target::with_cursor,
    rows::Output,
    terminal::console::Console,
    transport::{Patience, Transport},
};

pub(crate) fn run(arguments: &RequestArguments, global: &Global, console: &Console) -> Result<Exit, Failure> {
    let method = Method::from_bytes(arguments.method.to_uppercase().as_bytes())
        .map_err(|_| Failure::usage("the method is no HTTP method: expected GET, POST, PUT, PATCH or DELETE"))?;
    let body = read_body(arguments, &method)?;
    let check = || {
        let call = describe(&Session::without_key(global)?.api, method.clone(), arguments, body.clone())?;
        call.to_request().map_err(|error| Failure::usage(error.to_string()))
    };
    // What is wrong with the call is said before a key is looked for; but for a URL, which may be of the profile's address.
    let is_whole_url = target::is_whole_url(&arguments.path);
    if !is_whole_url {
        check()?;
    }
    // Kept to the end, since it watches the key.
    let session = if arguments.dry_run { Session::for_show(global, console) } else { Session::open(global, console) };
    let session = match session {
        Err(failure) if is_whole_url => return check().and(Err(failure)),
        session => session?,
    };
    let call = describe(&session.api, method, arguments, body)?;
    if arguments.dry_run {
        return dry_run::show(&call, console);
    }
    if arguments.paginate {
        let transport = Transport::new(global, Patience::Job, console)?;
        let list = Listed::new(call, arguments.cursor.as_deref(), None)?;
        return lists::follow(&Job::begin(transport, session.api.clone())?, list, Output::stdout(), console);
    }
    let call = with_cursor(call, arguments.cursor.as_deref());
    let transport = Transport::new(global, Patience::Call, console)?;
    let progress = console.progress.begin(None, "");
    let sent = transport.send(call);
    progress.end();
    let reply = sent?.into_result()?;
    if arguments.include {
        let lines = head(&reply);
        console.data(lines.iter().map(String::as_bytes))?;
    }
    let text = reply.into_body();
    console.json([text.strip_suffix(b"\n").unwrap_or(&text)])?;
    Ok(Exit::Ok)
}

fn read_body(arguments: &RequestArguments, method: &Method) -> Result<Vec<u8>, Failure> {
    let has_body = arguments.input.is_some() || !arguments.field.is_empty();
    if has_body && matches!(*method, Method::GET | Method::DELETE) {
        return Err(Failure::usage(format!("{method} has no body")).advise("use --query NAME=VALUE"));
    }
    match &arguments.input {
        Some(input) => body::from_input(input),
        None if arguments.field.is_empty() => Ok(Vec::new()),
        None => body::from_fields(&arguments.field),
    }
}

fn describe(api: &Api, method: Method, arguments: &RequestArguments, body: Vec<u8>) -> Result<Call, Failure> {
    let is_list = arguments.paginate || arguments.cursor.is_some();
    if is_list && method != Method::GET {
        return Err(Failure::usage("--paginate and --cursor are for lists: expected GET"));
    }
    let mut call = target::call(api, method, &arguments.path)?;
    for pair in &arguments.query {
        let (name, value) = pair::split(pair, "--query")?;
        if is_list && name == "cursor" {
            return Err(Failure::usage("--query cursor=… would be on every page").advise("use --cursor"));
        }
        call = call.query(name, value);
    }
    if !body.is_empty() {
        call = call.body(body);
    }
    if arguments.idempotent {
        call = call.idempotent();
    }
    Ok(call)
}

/// Status and headers, as text that steers no terminal: a header that is not ASCII is named only.
fn head<B>(reply: &Reply<B>) -> Vec<String> {
    let mut lines = vec![format!("HTTP {}", reply.status().as_u16())];
    let shown = |value: &HeaderValue| value.to_str().unwrap_or("[not text]").to_owned();
    lines.extend(reply.headers().iter().map(|(name, value)| format!("{name}: {}", shown(value))));
    lines.push(String::new());
    lines
}
