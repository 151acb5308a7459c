//! One activity is one trace: the ingress, the turn at the worker and the call to the Connector, from two processes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

use crate::world::deployment::Deployment;
use trunkline_fleet::wait::wait_for;

/// Service and name of each span, by trace.
type Traces = BTreeMap<Vec<u8>, BTreeSet<(String, String)>>;

/// A collector that keeps what it gets.
#[derive(Clone, Default)]
struct Collector {
    traces: Arc<Mutex<Traces>>,
    requests: Arc<Mutex<Vec<String>>>,
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let request = request.into_inner();
        self.requests.lock().unwrap().push(format!("{request:?}"));
        for resource_spans in request.resource_spans {
            let service = resource_spans
                .resource
                .iter()
                .flat_map(|resource| &resource.attributes)
                .find(|attribute| attribute.key == "service.name")
                .and_then(|attribute| attribute.value.as_ref()?.value.clone());
            let Some(Value::StringValue(service)) = service else {
                continue;
            };
            for span in resource_spans.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                self.traces
                    .lock()
                    .unwrap()
                    .entry(span.trace_id)
                    .or_default()
                    .insert((service.clone(), span.name));
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    /// Listens on a thread that lives as long as the test's process.
    fn start(&self) -> SocketAddr {
        let (report, address) = std::sync::mpsc::channel();
        let collector = self.clone();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                report.send(listener.local_addr().unwrap()).unwrap();
                tonic::transport::Server::builder()
                    .add_service(TraceServiceServer::new(collector))
                    .serve_with_incoming(TcpListenerStream::new(listener))
                    .await
                    .unwrap();
            });
        });
        address.recv().unwrap()
    }
}

#[test]
fn spans_of_ingress_turn_and_connector_call_are_one_trace() {
    let collector = Collector::default();
    let endpoint = format!("http://{}", collector.start());
    let deployment = Deployment::start(
        &["Ada"],
        &[
            ("TRUNKLINE_OTLP__ENDPOINT", &endpoint),
            ("OTEL_BSP_SCHEDULE_DELAY", "100"),
        ],
    );
    let (person, chat) = deployment.page.personal_chats("echo").remove(0);
    deployment.page.say_as(person, &chat, "a word that nobody may log");
    deployment.page.reply(&chat, |text| text.starts_with("1."));

    let of = |service: &str, name: &str| (service.to_owned(), name.to_owned());
    let wanted = BTreeSet::from([
        of("trunkline-ingress", "POST /api/messages"),
        of("trunkline-worker", "turn"),
        of("trunkline-worker", "send"),
    ]);
    wait_for("a trace with all three spans", || {
        collector
            .traces
            .lock()
            .unwrap()
            .values()
            .any(|spans| spans.is_superset(&wanted))
            .then_some(())
    });
    let requests = collector.requests.lock().unwrap().concat();
    assert!(!requests.contains("nobody may log"), "text of a message in a span");
}
