//! A Chromium without a head, driven over its `DevTools` protocol: one page, one call at a time.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "the lints do not know a test's own module for a test"
)]

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use base64::Engine as _;
use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

const PROGRAM: &str = "/usr/bin/chromium";
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Chromium {
    child: Child,
    profile: PathBuf,
    socket: WebSocket<TcpStream>,
    session: Value,
    calls: u64,
    /// What the page complained of.
    pub(crate) complaints: Vec<Value>,
}

impl Chromium {
    /// Opens a page; `None` if there is no Chromium here.
    pub(crate) fn open(url: &str) -> Option<Self> {
        if !Path::new(PROGRAM).exists() {
            return None;
        }
        let profile = env::temp_dir().join(format!("cometly-emulator-chromium-{}", std::process::id()));
        let child = Command::new(PROGRAM)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--remote-debugging-port=0", &format!("--user-data-dir={}", profile.display()), "about:blank"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // It writes down, in two lines, on which port and path it listens.
        let began = Instant::now();
        let (port, path) = loop {
            let written = fs::read_to_string(profile.join("DevToolsActivePort")).unwrap_or_default();
            if let Some((port, path)) = written.split_once('\n').filter(|(_, path)| !path.is_empty()) {
                break (port.to_owned(), path.trim().to_owned());
            }
            assert!(began.elapsed() < PATIENCE, "Chromium did not start");
            thread::sleep(Duration::from_millis(50));
        };
        let stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (socket, _) = tungstenite::client(format!("ws://127.0.0.1:{port}{path}"), stream).unwrap();
        let mut chromium = Self { child, profile, socket, session: Value::Null, calls: 0, complaints: Vec::new() };
        let target = chromium.call("Target.createTarget", &json!({ "url": "about:blank" }))["targetId"].clone();
        let attach = json!({ "targetId": target, "flatten": true });
        chromium.session = chromium.call("Target.attachToTarget", &attach)["sessionId"].clone();
        for domain in ["Runtime.enable", "Log.enable", "Page.enable"] {
            chromium.call(domain, &json!({}));
        }
        chromium.call("Page.navigate", &json!({ "url": url }));
        Some(chromium)
    }

    pub(crate) fn call(&mut self, method: &str, params: &Value) -> Value {
        self.calls += 1;
        let mut message = json!({ "id": self.calls, "method": method, "params": params });
        if !self.session.is_null() {
            message["sessionId"] = self.session.clone();
        }
        self.socket.send(Message::text(message.to_string())).unwrap();
        loop {
            let Message::Text(text) = self.socket.read().unwrap() else { continue };
            let mut answer: Value = serde_json::from_str(&text).unwrap();
            if answer["id"] == self.calls {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].take();
            }
            if answer["method"] == "Runtime.exceptionThrown" || answer["params"]["entry"]["level"] == "error" {
                self.complaints.push(answer);
            }
        }
    }

    /// What an expression gives.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let result = self.call("Runtime.evaluate", &params);
        assert!(result["exceptionDetails"].is_null(), "{expression}: {result}");
        result["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub(crate) fn until(&mut self, expression: &str) {
        let began = Instant::now();
        while self.value(expression) != true {
            assert!(began.elapsed() < PATIENCE, "never true: {expression}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Presses the space bar on an element that has the focus, as a user without a mouse does.
    pub(crate) fn press(&mut self, id: &str) {
        self.value(&format!("document.getElementById({id:?}).focus()"));
        for kind in ["keyDown", "keyUp"] {
            let key = json!({ "type": kind, "key": " ", "code": "Space", "text": " ", "windowsVirtualKeyCode": 32 });
            self.call("Input.dispatchKeyEvent", &key);
        }
    }

    pub(crate) fn size(&mut self, width: u32, height: u32, mobile: bool) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile });
        self.call("Emulation.setDeviceMetricsOverride", &metrics);
    }

    pub(crate) fn colours(&mut self, scheme: &str) {
        let feature = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", &feature);
    }

    /// Paints what is to be seen into a file.
    pub(crate) fn screenshot(&mut self, file: &Path) {
        let picture = self.call("Page.captureScreenshot", &json!({}));
        let data = base64::engine::general_purpose::STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        fs::write(file, data).unwrap();
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.profile);
    }
}
