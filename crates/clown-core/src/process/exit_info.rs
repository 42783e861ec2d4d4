//! The exit code that the kernel remembers for as long as a pidfd of the process is open
//! (`PIDFD_GET_INFO` with `PIDFD_INFO_EXIT`, Linux 6.15 and later).

#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "rustix has no wrapper for this request; the kernel fills in a struct of its size"
)]
mod linux {
    use crate::process::stat::code_of_wait_status;
    use rustix::ioctl::{Updater, ioctl, opcode};
    use std::os::fd::BorrowedFd;

    /// `struct pidfd_info` of `linux/pidfd.h` as it was first published. Later members only follow
    /// it, and the kernel writes no more than the size that the request's number carries.
    #[repr(C)]
    #[derive(Default)]
    struct PidfdInfo {
        mask: u64,
        cgroup: u64,
        ids: [u32; 11],
        exit_code: i32,
    }

    const EXIT: u64 = 1 << 3;
    const GET_INFO: rustix::ioctl::Opcode = opcode::read_write::<PidfdInfo>(0xff, 11);

    /// The code of a process that is gone, if the kernel knows it. None while the process is not
    /// yet reaped, and on kernels that do not have this.
    pub fn exit_code(pidfd: BorrowedFd<'_>) -> Option<i32> {
        let mut info = PidfdInfo {
            mask: EXIT,
            ..PidfdInfo::default()
        };
        // SAFETY: the number carries the size of `PidfdInfo`, a plain struct of integers that
        // lives until the call returns; the kernel writes at most that many bytes. On anything
        // that is no pidfd, or no such kernel, the request fails and writes nothing.
        unsafe { ioctl(pidfd, Updater::<GET_INFO, PidfdInfo>::new(&mut info)) }.ok()?;
        (info.mask & EXIT != 0).then(|| code_of_wait_status(info.exit_code))
    }
}

#[cfg(target_os = "linux")]
pub(super) use linux::exit_code;
