//! Who is called, calls, or is in a call.

use crate::wire::wire_object;

wire_object! {
    /// One identity. Source: Graph, `identity` and `communicationsIdentitySet`.
    pub struct Identity {
        /// Entra object id, app id, E.164 number or another id, as the member that holds it says.
        id: Option<String> => "id",
        /// As Teams shows it.
        display_name: Option<String> => "displayName",
        /// Entra tenant (wire).
        tenant_id: Option<String> => "tenantId",
        /// Of guests.
        email: Option<String> => "email",
        /// `AAD`, `None` and others (wire).
        identity_provider: Option<String> => "identityProvider",
        /// Kind of a service's application, `LargeGallery-V2` say (wire).
        application_type: Option<String> => "applicationType",
    }
}

wire_object! {
    /// Who somebody is: in practice exactly one member is set, others may be there as null.
    pub struct IdentitySet {
        /// A person of a directory, by Entra object id.
        user: Option<Box<Identity>> => "user",
        /// An application, by app id.
        application: Option<Box<Identity>> => "application",
        /// A resource account, by its object id.
        application_instance: Option<Box<Identity>> => "applicationInstance",
        /// A telephone, by E.164 number.
        phone: Option<Box<Identity>> => "phone",
        /// A guest of a meeting.
        guest: Option<Box<Identity>> => "guest",
        /// A caller whom this app has no permission to see.
        encrypted: Option<Box<Identity>> => "encrypted",
        /// Somebody of an on-premises server.
        on_premises: Option<Box<Identity>> => "onPremises",
        /// The identity that a trunk asserted.
        asserted_identity: Option<Box<Identity>> => "assertedIdentity",
        /// A user of Azure Communication Services.
        azure_communication_services_user: Option<Box<Identity>> => "azureCommunicationServicesUser",
        /// A device.
        device: Option<Box<Identity>> => "device",
        /// `default`, `voicemail`, `skypeForBusiness`, `skypeForBusinessVoipPhone`.
        endpoint_type: Option<String> => "endpointType",
    }
}

impl IdentitySet {
    /// A person by Entra object id.
    pub fn of_user(id: impl Into<String>) -> Self {
        Self {
            user: Some(Box::new(Identity::of(id))),
            ..Self::default()
        }
    }

    /// A telephone by E.164 number.
    pub fn of_phone(number: impl Into<String>) -> Self {
        Self {
            phone: Some(Box::new(Identity::of(number))),
            ..Self::default()
        }
    }

    /// A resource account by its object id.
    pub fn of_application_instance(id: impl Into<String>) -> Self {
        Self {
            application_instance: Some(Box::new(Identity::of(id))),
            ..Self::default()
        }
    }

    /// The identity that is set, whatever its kind.
    pub fn any(&self) -> Option<&Identity> {
        self.user
            .as_deref()
            .or(self.phone.as_deref())
            .or(self.guest.as_deref())
            .or(self.application_instance.as_deref())
            .or(self.application.as_deref())
            .or(self.azure_communication_services_user.as_deref())
            .or(self.on_premises.as_deref())
            .or(self.asserted_identity.as_deref())
            .or(self.encrypted.as_deref())
            .or(self.device.as_deref())
    }
}

impl Identity {
    /// An identity of that id.
    pub fn of(id: impl Into<String>) -> Self {
        Self {
            id: Some(id.into()),
            ..Self::default()
        }
    }
}
