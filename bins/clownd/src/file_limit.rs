use rustix::process::{Resource, getrlimit, setrlimit};

/// Allows this process as many open files as the system lets it have: each client is one, and the
/// usual limit is about as low as the number of clients that may connect.
pub(crate) fn raise() {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "cannot raise the limit of open files");
    }
}
