use proxy_wasm::hostcalls::increment_metric;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

const CALLER: &[u8] = b"spiffe://cluster.local/ns/default/sa/orderservice-sa";

pub struct Stream {
    pub allowed: u32,
    pub denied: u32,
}

impl Context for Stream {}

impl Stream {
    fn is_allowed(&self) -> bool {
        let headers = self.get_http_request_headers();
        let first = |name: &str| headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let path = first(":path").unwrap_or("").split(['?', '#']).next().unwrap_or("");
        if path.starts_with("/admin") {
            return false;
        }
        if headers.iter().any(|(key, value)| key == "x-role" && value.split(',').any(|one| one.trim() == "banned")) {
            return false;
        }
        let method = first(":method").unwrap_or("");
        if method != "GET" && method != "POST" {
            return false;
        }
        if !path.strip_prefix("/reviews/").is_some_and(|rest| !rest.is_empty() && !rest.contains('/')) {
            return false;
        }
        let mutual = self.get_property(vec!["connection", "mtls"]).is_some_and(|value| value.first() == Some(&1));
        if mutual && self.get_property(vec!["connection", "uri_san_peer_certificate"]).as_deref() == Some(CALLER) {
            return true;
        }
        let address = self.get_property(vec!["filter_state", "scrim.peer_address"]).unwrap_or_default();
        std::str::from_utf8(&address).ok().and_then(|text| text.parse::<std::net::IpAddr>().ok()).is_some_and(|ip| ip.is_loopback())
    }
}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let allowed = self.is_allowed();
        let _ = increment_metric(if allowed { self.allowed } else { self.denied }, 1);
        if allowed {
            return Action::Continue;
        }
        self.send_http_response(403, vec![], Some(b"denied"));
        Action::Pause
    }
}
