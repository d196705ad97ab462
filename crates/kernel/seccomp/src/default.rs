//! Docker's default profile, as a table of ours.

use crate::profile::{ArchMap, Argument, Filter, Profile, Syscall};

/// Allowed for everybody.
const ALWAYS: &str = "\
     _llseek _newselect accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown \
     chown32 clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 \
     clock_nanosleep clock_nanosleep_time64 close close_range connect copy_file_range creat dup dup2 dup3 \
     epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old \
     eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate \
     fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr \
     flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate \
     ftruncate64 futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake futimesat get_robust_list \
     get_thread_area getcpu getcwd getdents getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 \
     getgroups getgroups32 getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid \
     getresgid32 getresuid getresuid32 getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday \
     getuid getuid32 getxattr getxattrat inotify_add_watch inotify_init inotify_init1 inotify_rm_watch \
     io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit ioctl ioprio_get \
     ioprio_set ipc kill landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lchown32 \
     lgetxattr link linkat listen listmount listxattr listxattrat llistxattr lremovexattr lseek lsetxattr lstat \
     lstat64 madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat \
     mlock mlock2 mlockall mmap mmap2 mprotect mq_getsetattr mq_notify mq_open mq_timedreceive \
     mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget msgrcv msgsnd \
     msync munlock munlockall munmap name_to_handle_at nanosleep newfstatat open openat openat2 pause \
     pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl \
     pread64 preadv preadv2 prlimit64 process_mrelease pselect6 pselect6_time64 pwrite64 pwritev pwritev2 read \
     readahead readlink readlinkat readv recv recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages \
     removexattr removexattrat rename renameat renameat2 restart_syscall riscv_hwprobe rmdir rseq rt_sigaction \
     rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait \
     rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity \
     sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 \
     sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp select semctl semget \
     semop semtimedop semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg sendto set_robust_list \
     set_thread_area set_tid_address setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups \
     setgroups32 setitimer setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 \
     setreuid setreuid32 setrlimit setsid setsockopt setuid setuid32 setxattr setxattrat shmat shmctl shmdt \
     shmget shutdown sigaltstack signalfd signalfd4 sigprocmask sigreturn socketcall socketpair splice stat \
     stat64 statfs statfs64 statmount statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill \
     time timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime \
     timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times \
     tkill truncate truncate64 ugetrlimit umask uname unlink unlinkat uretprobe utime utimensat \
     utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write writev";

/// Allowed with a capability.
const WITH_CAPABILITY: &[(&str, &str)] = &[
    ("CAP_DAC_READ_SEARCH", "open_by_handle_at"),
    (
        "CAP_SYS_ADMIN",
        "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr \
         lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd \
         setdomainname sethostname setns syslog umount umount2 unshare",
    ),
    ("CAP_SYS_BOOT", "reboot"),
    ("CAP_SYS_CHROOT", "chroot"),
    ("CAP_SYS_MODULE", "delete_module finit_module init_module"),
    ("CAP_SYS_PACCT", "acct"),
    ("CAP_SYS_PTRACE", "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace"),
    ("CAP_SYS_RAWIO", "ioperm iopl"),
    ("CAP_SYS_TIME", "clock_settime clock_settime64 settimeofday stime"),
    ("CAP_SYS_TTY_CONFIG", "vhangup"),
    ("CAP_SYS_NICE", "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"),
    ("CAP_SYSLOG", "syslog"),
    ("CAP_BPF", "bpf"),
    ("CAP_PERFMON", "perf_event_open"),
];

/// Allowed on some architectures.
const WITH_ARCHITECTURE: &[(&[&str], &str)] = &[
    (&["ppc64le"], "swapcontext sync_file_range2"),
    (
        &["arm", "arm64"],
        "arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2",
    ),
    (&["amd64", "x32"], "arch_prctl"),
    (&["amd64", "x32", "x86"], "modify_ldt"),
    (&["s390", "s390x"], "s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr"),
    (&["riscv64"], "riscv_flush_icache"),
];

/// The native architectures with those that run on them too.
const ARCHITECTURES: &[(&str, &[&str])] = &[
    ("SCMP_ARCH_X86_64", &["SCMP_ARCH_X86", "SCMP_ARCH_X32"]),
    ("SCMP_ARCH_AARCH64", &["SCMP_ARCH_ARM"]),
    ("SCMP_ARCH_MIPS64", &["SCMP_ARCH_MIPS", "SCMP_ARCH_MIPS64N32"]),
    ("SCMP_ARCH_MIPS64N32", &["SCMP_ARCH_MIPS", "SCMP_ARCH_MIPS64"]),
    ("SCMP_ARCH_MIPSEL64", &["SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64N32"]),
    ("SCMP_ARCH_MIPSEL64N32", &["SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64"]),
    ("SCMP_ARCH_S390X", &["SCMP_ARCH_S390"]),
    ("SCMP_ARCH_RISCV64", &[]),
];

const AF_VSOCK: u64 = 40;
const ENOSYS: u32 = 38;
/// All CLONE_NEW… flags except CLONE_NEWTIME.
const CLONE_NEW_MASK: u64 = 0x7e02_0000;
/// PER_LINUX, PER_LINUX32, UNAME26, both, and "tell me".
const PERSONALITIES: [u64; 5] = [0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// Returns the profile that containers get by default: the rules of Docker 28.
///
/// # Source
/// moby v28.5.2, `profiles/seccomp/default.json`.
pub fn default_profile() -> Profile {
    let mut syscalls = vec![allow(ALWAYS)];
    let since_4_8 = Filter { min_kernel: "4.8".into(), ..Filter::default() };
    syscalls.push(Syscall { includes: since_4_8, ..allow("process_vm_readv process_vm_writev ptrace") });
    syscalls.push(Syscall { args: vec![argument(0, "SCMP_CMP_NE", AF_VSOCK)], ..allow("socket") });
    syscalls.extend(PERSONALITIES.map(|value| {
        let args = vec![argument(0, "SCMP_CMP_EQ", value)];
        Syscall { args, ..allow("personality") }
    }));
    syscalls.extend(WITH_ARCHITECTURE.iter().map(|(arches, names)| {
        let includes = Filter { arches: strings(arches), ..Filter::default() };
        Syscall { includes, ..allow(names) }
    }));
    syscalls.extend(WITH_CAPABILITY.iter().map(|(capability, names)| {
        let includes = Filter { caps: strings(&[capability]), ..Filter::default() };
        Syscall { includes, ..allow(names) }
    }));
    syscalls.extend(without_sys_admin());
    Profile {
        default_action: "SCMP_ACT_ERRNO".into(),
        default_errno_ret: Some(1),
        arch_map: ARCHITECTURES.iter().map(|(native, further)| arch_map(native, further)).collect(),
        syscalls,
        ..Profile::default()
    }
}

/// New namespaces are for CAP_SYS_ADMIN. The flags of clone3 lie in memory, where no filter can look: it is said not
/// to exist, so that libraries fall back to clone.
fn without_sys_admin() -> [Syscall; 3] {
    let no_new_namespaces =
        |index| Argument { value: CLONE_NEW_MASK, value_two: 0, ..argument(index, "SCMP_CMP_MASKED_EQ", 0) };
    let excludes = |arches: &[&str]| Filter {
        caps: strings(&["CAP_SYS_ADMIN"]),
        arches: strings(arches),
        ..Filter::default()
    };
    let s390 = ["s390", "s390x"];
    [
        Syscall { args: vec![no_new_namespaces(0)], excludes: excludes(&s390), ..allow("clone") },
        Syscall {
            args: vec![no_new_namespaces(1)], // s390 has the flags in second place.
            includes: Filter { arches: strings(&s390), ..Filter::default() },
            excludes: excludes(&[]),
            ..allow("clone")
        },
        Syscall {
            action: "SCMP_ACT_ERRNO".into(),
            errno_ret: Some(ENOSYS),
            excludes: excludes(&[]),
            ..allow("clone3")
        },
    ]
}

fn allow(names: &str) -> Syscall {
    let names = names.split_whitespace().map(str::to_owned).collect();
    Syscall { names, action: "SCMP_ACT_ALLOW".into(), ..Syscall::default() }
}

fn argument(index: u32, op: &str, value: u64) -> Argument {
    Argument { index, value, value_two: 0, op: op.into() }
}

fn arch_map(native: &str, further: &[&str]) -> ArchMap {
    ArchMap { architecture: native.into(), sub_architectures: strings(further) }
}

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|&item| item.to_owned()).collect()
}
