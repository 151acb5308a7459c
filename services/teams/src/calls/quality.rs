//! How good the media were between a conference device and the bot that stands for it.

use crate::wire::wire_object;

wire_object! {
    /// What a bot of a Cloud Video Interop partner reports of the leg to its device. Source: Graph,
    /// `teleconferenceDeviceQuality`.
    pub struct TeleconferenceDeviceQuality {
        /// `#microsoft.graph.teleconferenceDeviceQuality`.
        odata_type: Option<String> => "@odata.type",
        /// Chain of the call: a GUID.
        call_chain_id: Option<String> => "callChainId",
        /// The device's participant: a GUID.
        participant_id: Option<String> => "participantId",
        /// The leg: a GUID.
        media_leg_id: Option<String> => "mediaLegId",
        /// The device.
        device_name: Option<String> => "deviceName",
        /// What it is.
        device_description: Option<String> => "deviceDescription",
        /// Where the bot runs: the environment.
        cloud_service_deployment_environment: Option<String> => "cloudServiceDeploymentEnvironment",
        /// The deployment.
        cloud_service_deployment_id: Option<String> => "cloudServiceDeploymentId",
        /// The instance.
        cloud_service_instance_name: Option<String> => "cloudServiceInstanceName",
        /// The service.
        cloud_service_name: Option<String> => "cloudServiceName",
        /// One for each stream.
        media_quality_list: Vec<TeleconferenceDeviceMediaQuality> => "mediaQualityList",
    }
}

wire_object! {
    /// One stream. Durations are ISO 8601 (`PT0.03S`). Source: Graph, `teleconferenceDeviceMediaQuality` and the types derived
    /// from it.
    pub struct TeleconferenceDeviceMediaQuality {
        /// `#microsoft.graph.teleconferenceDeviceAudioQuality`, `..VideoQuality` or `..ScreenSharingQuality`: required, the
        /// declared type is abstract.
        odata_type: Option<String> => "@odata.type",
        /// Number of the stream among those of its kind.
        channel_index: Option<i64> => "channelIndex",
        /// How long it lasted.
        media_duration: Option<String> => "mediaDuration",
        /// Bytes a second.
        network_link_speed_in_bytes: Option<i64> => "networkLinkSpeedInBytes",
        /// Our address.
        local_ip_address: Option<String> => "localIPAddress",
        /// Our port.
        local_port: Option<i64> => "localPort",
        /// The device's address.
        remote_ip_address: Option<String> => "remoteIPAddress",
        /// The device's port.
        remote_port: Option<i64> => "remotePort",
        /// Packets received.
        inbound_packets: Option<i64> => "inboundPackets",
        /// Packets sent.
        outbound_packets: Option<i64> => "outboundPackets",
        /// Share of lost packets in percent.
        average_inbound_packet_loss_rate_in_percentage: Option<f64> => "averageInboundPacketLossRateInPercentage",
        /// The same the other way.
        average_outbound_packet_loss_rate_in_percentage: Option<f64> => "averageOutboundPacketLossRateInPercentage",
        /// The worst of it.
        maximum_inbound_packet_loss_rate_in_percentage: Option<f64> => "maximumInboundPacketLossRateInPercentage",
        /// The same the other way.
        maximum_outbound_packet_loss_rate_in_percentage: Option<f64> => "maximumOutboundPacketLossRateInPercentage",
        /// Round trip.
        average_inbound_round_trip_delay: Option<String> => "averageInboundRoundTripDelay",
        /// The same the other way.
        average_outbound_round_trip_delay: Option<String> => "averageOutboundRoundTripDelay",
        /// The worst of it.
        maximum_inbound_round_trip_delay: Option<String> => "maximumInboundRoundTripDelay",
        /// The same the other way.
        maximum_outbound_round_trip_delay: Option<String> => "maximumOutboundRoundTripDelay",
        /// Jitter.
        average_inbound_jitter: Option<String> => "averageInboundJitter",
        /// The same the other way.
        average_outbound_jitter: Option<String> => "averageOutboundJitter",
        /// The worst of it.
        maximum_inbound_jitter: Option<String> => "maximumInboundJitter",
        /// The same the other way.
        maximum_outbound_jitter: Option<String> => "maximumOutboundJitter",
        /// Bits a second; of pictures and screens.
        average_inbound_bit_rate: Option<f64> => "averageInboundBitRate",
        /// The same the other way.
        average_outbound_bit_rate: Option<f64> => "averageOutboundBitRate",
        /// Pictures a second; of pictures and screens.
        average_inbound_frame_rate: Option<f64> => "averageInboundFrameRate",
        /// The same the other way.
        average_outbound_frame_rate: Option<f64> => "averageOutboundFrameRate",
    }
}
