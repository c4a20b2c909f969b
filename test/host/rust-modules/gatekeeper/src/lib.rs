// Asks the cluster named by the configuration whether a request may pass: 200 lets it, all else answers 403 with the service's words.
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};
use std::time::Duration;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Debug);
    proxy_wasm::set_root_context(|_| Box::new(Root { cluster: String::new() }));
}}

struct Root {
    cluster: String,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        self.cluster = String::from_utf8(self.get_plugin_configuration().unwrap_or_default()).unwrap_or_default();
        !self.cluster.is_empty()
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Gatekeeper { cluster: self.cluster.clone() }))
    }
}

struct Gatekeeper {
    cluster: String,
}

impl Context for Gatekeeper {
    fn on_http_call_response(&mut self, _token: u32, headers: usize, body: usize, _trailers: usize) {
        let status = self.get_http_call_response_header(":status").unwrap_or_default();
        let words = self.get_http_call_response_body(0, body).unwrap_or_default();
        log_answer(headers, &status);
        if status == "200" {
            self.resume_http_request();
        } else {
            self.send_http_response(403, vec![("x-asked", &self.cluster)], Some(&words));
        }
    }
}

fn log_answer(headers: usize, status: &str) {
    let _ = proxy_wasm::hostcalls::log(LogLevel::Info, &format!("answer: {} headers, status {status}", if headers == 0 { "no" } else { "some" }));
}

impl HttpContext for Gatekeeper {
    fn on_http_request_headers(&mut self, _count: usize, _end: bool) -> Action {
        let path = self.get_http_request_header(":path").unwrap_or_default();
        let headers = vec![(":method", "GET"), (":path", "/ask"), (":authority", "gate.test"), ("x-path", path.as_str())];
        if self.dispatch_http_call(&self.cluster, headers, None, vec![], Duration::from_secs(5)).is_err() {
            self.send_http_response(503, vec![], Some(b"nobody to ask\n"));
        }
        Action::Pause
    }
}
