// The jobs of authz and ratelimit's examples as one would write them with the Rust SDK, and the usual small filter: one header, the clock, a bucket in a map.
// The plugin's configuration says which: "authz", "ratelimit" or "".
mod authz;
mod bucket;
mod ratelimit;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{ContextType, LogLevel, MetricType};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Warn);
    proxy_wasm::set_root_context(|_| Box::new(Root { job: Job::Bucket, allowed: 0, denied: 0 }));
}}

#[derive(Clone, Copy)]
enum Job {
    Authz,
    RateLimit,
    Bucket,
}

struct Root {
    job: Job,
    allowed: u32,
    denied: u32,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _: usize) -> bool {
        self.job = match self.get_plugin_configuration().as_deref() {
            Some(b"authz") => Job::Authz,
            Some(b"ratelimit") => Job::RateLimit,
            _ => Job::Bucket,
        };
        self.allowed = proxy_wasm::hostcalls::define_metric(MetricType::Counter, "rust_allowed").unwrap_or(0);
        self.denied = proxy_wasm::hostcalls::define_metric(MetricType::Counter, "rust_denied").unwrap_or(0);
        true
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        let (allowed, denied) = (self.allowed, self.denied);
        Some(match self.job {
            Job::Authz => Box::new(authz::Stream { allowed, denied }),
            Job::RateLimit => Box::new(ratelimit::Stream { allowed, denied }),
            Job::Bucket => Box::new(bucket::Stream),
        })
    }
}
