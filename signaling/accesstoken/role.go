package accesstoken

// Role is what a participant may do in a room.
type Role string

// The roles. An empty role is that of a publisher, as in tokens of issuers that
// know no roles.
const (
	RoleSubscriber    Role = "subscriber"    // receives
	RolePublisher     Role = "publisher"     // receives, publishes, sends data
	RolePublisherOnly Role = "publisheronly" // publishes, and neither receives nor sends data
	RoleModerator     Role = "moderator"     // a publisher who may remove and mute others
)

// CanSubscribe reports whether the role may receive the tracks of others.
func (r Role) CanSubscribe() bool { return r.valid() && r != RolePublisherOnly }

// CanPublish reports whether the role may publish audio and video.
func (r Role) CanPublish() bool { return r.valid() && r != RoleSubscriber }

// CanSendData reports whether the role may publish data tracks.
func (r Role) CanSendData() bool { return r == "" || r == RolePublisher || r == RoleModerator }

// CanModerate reports whether the role may remove and mute others.
func (r Role) CanModerate() bool { return r == RoleModerator }

func (r Role) valid() bool {
	switch r {
	case "", RoleSubscriber, RolePublisher, RolePublisherOnly, RoleModerator:
		return true
	}
	return false
}
