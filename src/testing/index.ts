/**
 * Tools to test a server, or a service of your own in a server, without a network.
 */
export { pair } from "./Connection.ts"
export {
  clientAddress,
  connect,
  connectWith,
  dialer,
  failingDialer,
  failingResolver,
  layer,
  layerNetwork,
  layerServer,
  pseudonym,
  type Replacements,
  serverAddress,
  targetAddress
} from "./Layers.ts"
export { Network, type Serve } from "./Network.ts"
export { make as peer, type Peer } from "./Peer.ts"
export { type Fault, type UpstreamOptions, upstream } from "./Upstream.ts"
