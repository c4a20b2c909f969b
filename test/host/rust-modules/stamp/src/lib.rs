// Stamps responses with a header. Configuration: `name=value`. Also logs through the standard library (WASI's fd_write).
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Debug);
    proxy_wasm::set_root_context(|_| Box::new(Stamp::default()));
}}

#[derive(Default, Clone)]
struct Stamp {
    name: String,
    value: String,
}

impl Context for Stamp {}

impl RootContext for Stamp {
    fn on_configure(&mut self, _size: usize) -> bool {
        let text = String::from_utf8(self.get_plugin_configuration().unwrap_or_default()).unwrap_or_default();
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                self.name = name.to_string();
                self.value = value.to_string();
                true
            }
            _ => {
                eprintln!("stamp: expected name=value, got {text:?}");
                false
            }
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(self.clone()))
    }
}

impl HttpContext for Stamp {
    fn on_http_request_headers(&mut self, _count: usize, _end: bool) -> Action {
        println!("stamp: {}", self.get_http_request_header(":path").unwrap_or_default());
        self.add_http_request_header("x-stamped", "yes");
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _count: usize, _end: bool) -> Action {
        self.set_http_response_header(&self.name, Some(&self.value));
        Action::Continue
    }
}
