//! The data plane: its listeners, threads and seams.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use gateway::listener::{Listener, tls};
use gateway::log::LogSender;
use gateway::{Gateway, Settings};
use plan::PlanIndex;
use tokio::runtime::Handle;

use super::clock;
use super::control_plane::{Front, Services};
use super::log_sink::Delivery;
use crate::config::Config;

/// Sockets that are bound but not yet served.
pub(crate) struct Bound {
    listeners: Vec<Listener>,
    /// The addresses as they were bound; the first is that of `--listen`.
    pub(crate) addresses: Vec<SocketAddr>,
}

/// The access log while the program runs.
pub(crate) struct AccessLog {
    log: LogSender,
    writer: std::thread::JoinHandle<()>,
}

impl AccessLog {
    /// Writes what is left.
    pub(crate) fn close(self) -> anyhow::Result<()> {
        self.log.close();
        self.writer.join().map_err(|_| anyhow::anyhow!("the access log's writer panicked"))
    }
}

/// Binds the addresses that the settings name, one socket for each data thread.
pub(crate) fn bind(config: &Config, threads: usize) -> anyhow::Result<Bound> {
    let mut bound = Bound { listeners: Vec::new(), addresses: Vec::new() };
    let mut add = |address: SocketAddr, tls| -> anyhow::Result<()> {
        let sockets = gateway::listener::bind(address, threads)
            .with_context(|| format!("cannot listen on {address}; is another program using the port?"))?;
        bound.addresses.push(sockets.first().context("there is at least one data thread")?.local_addr()?);
        bound.listeners.push(Listener { sockets, tls });
        Ok(())
    };
    add(config.listen, None)?;
    if let Some(secure) = config.tls() {
        let settings = tls::server_config(&secure.certificate, &secure.key).map_err(anyhow::Error::msg)?;
        add(secure.listen, Some(settings))?;
    }
    Ok(bound)
}

/// Starts the data threads. Also returned, to be closed after them: the program's own access log, and what delivers those
/// of stages.
pub(crate) fn start(
    config: &Config,
    bound: Bound,
    threads: usize,
    index: &Arc<PlanIndex>,
    services: &Services,
    control: &Handle,
) -> anyhow::Result<(Gateway, AccessLog, Option<Delivery>)> {
    let (log, writer) = gateway::log::start(std::io::stderr());
    let (logs, delivery) = services.logs.sink("access logs", control);
    let settings = Settings {
        index: Arc::clone(index),
        compile: Arc::clone(&services.apis) as Arc<dyn plan::CompileStage>,
        functions: Arc::clone(&services.functions) as Arc<dyn base::seams::InvokeFunction>,
        function_urls: Arc::clone(&services.functions) as Arc<dyn base::seams::FindFunctionUrl>,
        other: Arc::new(Front {
            front: Arc::clone(&services.front),
            functions: Arc::clone(&services.functions),
            control: control.clone(),
        }),
        log: log.clone(),
        logs: Some(logs),
        clock: clock(),
        domain: config.domain.as_str().into(),
        own_addresses: bound.addresses,
        service_endpoints: Arc::clone(&services.endpoints),
        allow_internal: config.allow_internal_integrations,
    };
    let functions = Arc::clone(&services.functions);
    let attach = Arc::new(move |thread| functions.attach(thread));
    let gateway = Gateway::start(Arc::new(settings), bound.listeners, threads, config.grace_period, attach)
        .context("cannot start the data threads")?;
    services.apis.test_on(gateway.tester());
    Ok((gateway, AccessLog { log, writer }, delivery))
}
