//! Compiles the contracts without a system protoc: `protox` parses, `tonic-prost-build` generates.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    const CONTRACTS: [&str; 5] = [
        "admin.proto",
        "cluster.proto",
        "media.proto",
        "peer.proto",
        "routing.proto",
    ];
    for contract in CONTRACTS {
        println!("cargo::rerun-if-changed={contract}");
    }
    let contracts = protox::compile(CONTRACTS, ["."])?;
    tonic_prost_build::configure()
        .bytes(".")
        // What operators are told as tables, their programs get as JSON.
        .type_attribute(".trunkline.admin.v1", "#[derive(serde::Serialize)]")
        .compile_fds(contracts)?;
    Ok(())
}
