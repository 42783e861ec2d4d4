//! Who listens on a port, as far as this user may see.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

/// The process that listens on `address`'s port, and its name. `None` where it belongs to another
/// user, or the system does not tell.
pub(crate) fn owner(address: SocketAddr) -> Option<(u32, String)> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .find_map(|table| listening_inode(&fs::read_to_string(table).ok()?, address.port()))?;
    let wanted = format!("socket:[{inode}]");
    let pid = fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        holds(&entry.path(), &wanted).then_some(pid)
    })?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    Some((pid, name.trim().to_owned()))
}

fn holds(process: &Path, wanted: &str) -> bool {
    let Ok(files) = fs::read_dir(process.join("fd")) else {
        return false;
    };
    files
        .flatten()
        .any(|file| fs::read_link(file.path()).is_ok_and(|target| target.as_os_str() == wanted))
}

/// The inode of the socket that listens on `port`, from a table of proc_pid_net(5).
fn listening_inode(table: &str, port: u16) -> Option<String> {
    const LISTENING: &str = "0A";
    let ending = format!(":{port:04X}");
    table.lines().skip(1).find_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [_, local, _, state, .., inode] = columns.get(..10)? else {
            return None;
        };
        (local.ends_with(&ending) && *state == LISTENING).then(|| (*inode).to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let (pid, _) = owner(listener.local_addr().unwrap()).unwrap();
        assert_eq!(pid, std::process::id());
    }
}
