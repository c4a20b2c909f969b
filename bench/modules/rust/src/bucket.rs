use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use std::cell::RefCell;
use std::collections::HashMap;
use std::time::UNIX_EPOCH;

const TOKENS_PER_SECOND: f64 = 10_000_000.0;
const BURST: f64 = 20_000_000.0;

struct Bucket {
    tokens: f64,
    refilled: f64,
}

thread_local! {
    static BUCKETS: RefCell<HashMap<String, Bucket>> = RefCell::new(HashMap::new());
}

pub struct Stream;

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let user = self.get_http_request_header("x-user").unwrap_or_default();
        let now = self.get_current_time().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        let admitted = BUCKETS.with(|buckets| {
            let mut buckets = buckets.borrow_mut();
            let bucket = buckets.entry(user).or_insert(Bucket { tokens: BURST, refilled: now });
            bucket.tokens = (bucket.tokens + (now - bucket.refilled) * TOKENS_PER_SECOND).min(BURST);
            bucket.refilled = now;
            let admitted = bucket.tokens >= 1.0;
            if admitted {
                bucket.tokens -= 1.0;
            }
            admitted
        });
        if admitted {
            return Action::Continue;
        }
        self.send_http_response(429, vec![], Some(b"limited"));
        Action::Pause
    }
}
