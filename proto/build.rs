//! Compiles the contracts without a system protoc: `protox` parses, `tonic-prost-build` generates.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=routing.proto");
    let contracts = protox::compile(["routing.proto"], ["."])?;
    tonic_prost_build::configure().bytes(".").compile_fds(contracts)?;
    Ok(())
}
