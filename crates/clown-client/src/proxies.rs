//! Proxies of profiles.

use crate::client::Client;
use crate::connect::Trust;
use crate::error::ClientError;
use crate::query::{Target, segment};
use clown_api::{ExplainRoute, Proxy, ProxyRequest, RouteExplained, StartProxy, routes};

impl Client {
    /// `GET /api/v1/proxies`: the proxies of all profiles that have one.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn proxies(&self) -> Result<Vec<Proxy>, ClientError> {
        self.list(routes::PROXIES).await
    }

    /// `GET /api/v1/proxies/{alias}`.
    ///
    /// # Errors
    /// [`ClientError::Problem`] with `profile_not_found`; else as any [`ClientError`].
    pub async fn proxy(&self, alias: &str) -> Result<Proxy, ClientError> {
        self.get(routes::proxy(&segment(alias))).await
    }

    /// `POST /api/v1/proxies/{alias}/start`: answers when it takes requests. One that runs is as
    /// good, and works by what the profile says now.
    ///
    /// # Errors
    /// [`ClientError::Problem`] with `proxy_not_enabled`, `port_in_use` or `proxy_not_started`; else as
    /// any [`ClientError`].
    pub async fn start_proxy(
        &self,
        alias: &str,
        request: &StartProxy,
    ) -> Result<Proxy, ClientError> {
        let path = routes::proxy_start(&segment(alias));
        self.post(path, request, Trust::Ordinary).await
    }

    /// `POST /api/v1/proxies/{alias}/restart`.
    ///
    /// # Errors
    /// As [`Client::start_proxy`].
    pub async fn restart_proxy(
        &self,
        alias: &str,
        request: &StartProxy,
    ) -> Result<Proxy, ClientError> {
        let path = routes::proxy_restart(&segment(alias));
        self.post(path, request, Trust::Ordinary).await
    }

    /// `POST /api/v1/proxies/{alias}/stop`: answers when it is gone, for which requests that are open
    /// have 10 s.
    ///
    /// # Errors
    /// [`ClientError::Problem`] with `profile_not_found`; else as any [`ClientError`].
    pub async fn stop_proxy(&self, alias: &str) -> Result<Proxy, ClientError> {
        let path = routes::proxy_stop(&segment(alias));
        self.post(path, &StartProxy::default(), Trust::Ordinary)
            .await
    }

    /// `POST /api/v1/proxies/{alias}/explain`: who takes a request, and why. Nobody is asked.
    ///
    /// # Errors
    /// [`ClientError::Problem`] with `profile_not_found`, or with `request_unreadable` where the request is
    /// no JSON object; else as any [`ClientError`].
    pub async fn explain_route(
        &self,
        alias: &str,
        question: &ExplainRoute,
    ) -> Result<RouteExplained, ClientError> {
        let path = routes::proxy_explain(&segment(alias));
        self.post(path, question, Trust::Ordinary).await
    }

    /// `GET /api/v1/proxies/{alias}/log`: the last `lines` requests, the oldest first; of those, what
    /// came after the request `after`.
    ///
    /// # Errors
    /// As [`Client::proxy`].
    pub async fn proxy_log(
        &self,
        alias: &str,
        lines: usize,
        after: Option<&str>,
    ) -> Result<Vec<ProxyRequest>, ClientError> {
        let path = routes::proxy_log(&segment(alias));
        let mut target = Target::new(&path).with("lines", &lines.to_string());
        if let Some(after) = after {
            target = target.with("after", after);
        }
        self.list(&target.into_string()).await
    }
}
