// Keeps a ledger of request bodies in shared data, by compare and swap; turns bodies to upper case once they are whole; tells of the ledger
// in a response header, and by a timer in the log. Uses a map (WASI's random_get) and the clock.
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel, Status};
use std::collections::HashMap;
use std::time::{Duration, UNIX_EPOCH};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Debug);
    proxy_wasm::set_root_context(|_| Box::new(Root { ticks: 0 }));
}}

struct Root {
    ticks: u32,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        self.set_tick_period(Duration::from_millis(500));
        true
    }

    fn on_tick(&mut self) {
        self.ticks += 1;
        let _ = proxy_wasm::hostcalls::log(LogLevel::Info, &format!("ledger: {} bytes after {} ticks", entered(self), self.ticks));
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Ledger { letters: HashMap::new() }))
    }
}

const KEY: &str = "ledger.bytes";

fn entered(context: &dyn Context) -> u64 {
    match context.get_shared_data(KEY) {
        (Some(bytes), _) if bytes.len() == 8 => u64::from_le_bytes(bytes.try_into().unwrap_or_default()),
        _ => 0,
    }
}

struct Ledger {
    letters: HashMap<u8, usize>,
}

impl Context for Ledger {}

impl Ledger {
    fn enter(&self, count: u64) {
        loop {
            let (found, cas) = self.get_shared_data(KEY);
            let before = found.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes);
            match self.set_shared_data(KEY, Some(&(before + count).to_le_bytes()), cas) {
                Err(Status::CasMismatch) => continue,
                _ => return,
            }
        }
    }
}

impl HttpContext for Ledger {
    fn on_http_request_headers(&mut self, _count: usize, end: bool) -> Action {
        if self.get_current_time().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs()) < 1_600_000_000 {
            self.send_http_response(500, vec![], None);
            return Action::Pause;
        }
        if !end {
            self.set_http_request_header("content-length", None); // the body's length stays, but the filter need not know that
        }
        Action::Continue
    }

    fn on_http_request_body(&mut self, size: usize, end: bool) -> Action {
        if !end {
            return Action::Pause;
        }
        let mut body = self.get_http_request_body(0, size).unwrap_or_default();
        for byte in &mut body {
            byte.make_ascii_uppercase();
            *self.letters.entry(*byte).or_insert(0) += 1;
        }
        self.enter(body.len() as u64);
        self.set_http_request_body(0, size, &body);
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _count: usize, _end: bool) -> Action {
        self.set_http_response_header("x-letters", Some(&self.letters.len().to_string()));
        self.set_http_response_header("x-ledger", Some(&entered(self).to_string()));
        Action::Continue
    }
}
