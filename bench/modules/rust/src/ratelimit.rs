use proxy_wasm::hostcalls::increment_metric;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use std::cell::RefCell;
use std::collections::HashMap;
use std::time::UNIX_EPOCH;

const NS_PER_TOKEN: u64 = 100;
const BURST_NS: u64 = 1_000_000_000;
const LEASE: u64 = 1000;

thread_local! {
    /** Tokens this worker holds, by user; "" is everyone. */
    static HELD: RefCell<HashMap<String, u64>> = RefCell::new(HashMap::new());
}

pub struct Stream {
    pub allowed: u32,
    pub denied: u32,
}

impl Context for Stream {}

impl Stream {
    /** Takes a token of the key's bucket: one held here, else a lease of those all workers share. */
    fn take(&self, key: &str, now: u64) -> bool {
        HELD.with(|held| {
            let mut held = held.borrow_mut();
            if !held.contains_key(key) {
                held.insert(key.to_string(), 0);
            }
            let left = held.get_mut(key).expect("just put there");
            if *left == 0 {
                if !self.lease(key, now) {
                    return false;
                }
                *left = LEASE;
            }
            *left -= 1;
            true
        })
    }

    fn lease(&self, key: &str, now: u64) -> bool {
        let name = format!("bench/{key}");
        for _ in 0..64 {
            let (value, version) = self.get_shared_data(&name);
            let full_at = value.and_then(|bytes| bytes.try_into().ok().map(u64::from_le_bytes)).unwrap_or(0).max(now) + NS_PER_TOKEN * LEASE;
            if full_at - now > BURST_NS {
                return false;
            }
            if self.set_shared_data(&name, Some(&full_at.to_le_bytes()), version).is_ok() {
                return true;
            }
        }
        false
    }

    fn is_admitted(&self) -> bool {
        let headers = self.get_http_request_headers();
        let first = |name: &str| headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
        let now = self.get_current_time().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
        let path = first(":path").split(['?', '#']).next().unwrap_or("");
        let limited = first(":method") == "GET" && path.strip_prefix("/reviews/").is_some_and(|rest| !rest.is_empty() && !rest.contains('/'));
        if limited && !self.take(first("x-user"), now) {
            return false;
        }
        // Callers with a bucket of their own are known by their certificate.
        let mutual = self.get_property(vec!["connection", "mtls"]).is_some_and(|value| value.first() == Some(&1));
        let caller = if mutual { self.get_property(vec!["connection", "uri_san_peer_certificate"]).unwrap_or_default() } else { vec![] };
        self.take(if caller.is_empty() { "" } else { std::str::from_utf8(&caller).unwrap_or("") }, now)
    }
}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let admitted = self.is_admitted();
        let _ = increment_metric(if admitted { self.allowed } else { self.denied }, 1);
        if admitted {
            return Action::Continue;
        }
        self.send_http_response(429, vec![("retry-after", "1")], Some(b"limited"));
        Action::Pause
    }
}
