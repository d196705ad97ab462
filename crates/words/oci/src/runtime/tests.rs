//! Real configurations read and written.

use super::*;

#[test]
fn spec_survives_a_round_trip_with_the_specifications_names() {
    let text = r#"{"ociVersion":"1.3.0","process":{"terminal":true,"consoleSize":{"height":24,"width":80},"user":{"uid":1,"gid":2,"umask":18,"additionalGids":[3]},"args":["sh"],"env":["A=b"],"cwd":"/","capabilities":{"bounding":["CAP_CHOWN"]},"rlimits":[{"type":"RLIMIT_CORE","soft":0,"hard":0}],"noNewPrivileges":true,"apparmorProfile":"p","oomScoreAdj":100,"execCPUAffinity":{"initial":"0","final":"1"}},"root":{"path":"rootfs","readonly":true},"hostname":"h","mounts":[{"destination":"/proc","type":"proc","source":"proc","options":["nosuid"],"uidMappings":[{"containerID":0,"hostID":1000,"size":1}]}],"hooks":{"createRuntime":[{"path":"/h","timeout":5}]},"linux":{"namespaces":[{"type":"pid"},{"type":"network","path":"/n"}],"timeOffsets":{"boottime":{"secs":1,"nanosecs":2}},"devices":[{"path":"/dev/x","type":"c","major":1,"minor":2,"fileMode":438}],"netDevices":{"eth0":{"name":"x"}},"cgroupsPath":"/a","resources":{"devices":[{"allow":false,"access":"rwm"}],"memory":{"limit":1,"kernelTCP":2,"disableOOMKiller":true},"blockIO":{"leafWeight":10,"throttleReadBpsDevice":[{"major":1,"minor":2,"rate":3}],"throttleWriteIOPSDevice":[{"major":1,"minor":2,"rate":3}]},"hugepageLimits":[{"pageSize":"2MB","limit":4}],"network":{"classID":7}},"seccomp":{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":1,"syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"valueTwo":2,"op":"SCMP_CMP_MASKED_EQ"}]}]},"maskedPaths":["/proc/kcore"],"personality":{"domain":"LINUX32"}}}"#;
    let spec: Spec = serde_json::from_str(text).expect("the text is a specification");
    assert_eq!(serde_json::to_string(&spec).expect("a specification can be written"), text);
}

#[test]
fn unknown_properties_are_ignored_and_unknown_namespace_types_are_not() {
    let spec: Spec = serde_json::from_str(r#"{"ociVersion":"1.9.0","windows":{},"linux":{"novel":1}}"#)
        .expect("unknown properties are ignored");
    assert_eq!(spec.linux, Some(Linux::default()));
    let bad = serde_json::from_str::<Spec>(r#"{"ociVersion":"1.0.0","linux":{"namespaces":[{"type":"x"}]}}"#);
    assert!(bad.is_err(), "{bad:?}");
}
