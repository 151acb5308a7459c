//! Compiles the contracts without a system protoc: `protox` parses, `tonic-prost-build` generates.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    const CONTRACTS: [&str; 2] = ["cluster.proto", "routing.proto"];
    for contract in CONTRACTS {
        println!("cargo::rerun-if-changed={contract}");
    }
    let contracts = protox::compile(CONTRACTS, ["."])?;
    tonic_prost_build::configure().bytes(".").compile_fds(contracts)?;
    Ok(())
}
