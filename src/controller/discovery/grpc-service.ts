import type { ServerDuplexStream, ServiceDefinition } from '@grpc/grpc-js';
import {
  type CertificateRequest,
  CREATE_CERTIFICATE_PATH,
  decodeCertificateRequest,
  decodeCertificateResponse,
  encodeCertificateRequest,
  encodeCertificateResponse,
} from '#shared/discovery/certificate-message.ts';
import { DELTA_ADS_PATH } from '#shared/discovery/controller-channel.ts';
import {
  type DeltaRequest,
  type DeltaResponse,
  decodeDeltaRequest,
  decodeDeltaResponse,
  encodeDeltaRequest,
  encodeDeltaResponse,
} from '#shared/discovery/delta-message.ts';

/** The two services on port 15012, as gRPC sees them. */

export type DeltaCall = ServerDuplexStream<DeltaRequest, DeltaResponse>;

export const discoveryService: ServiceDefinition = {
  deltaAggregatedResources: {
    path: DELTA_ADS_PATH,
    requestStream: true,
    responseStream: true,
    requestSerialize: encodeDeltaRequest,
    requestDeserialize: decodeDeltaRequest,
    responseSerialize: encodeDeltaResponse,
    responseDeserialize: decodeDeltaResponse,
  },
  // State of the world: registered so that it is refused with the reason and not as an unknown method.
  streamAggregatedResources: {
    path: '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources',
    requestStream: true,
    responseStream: true,
    requestSerialize: (bytes: Buffer) => bytes,
    requestDeserialize: (bytes: Buffer) => bytes,
    responseSerialize: (bytes: Buffer) => bytes,
    responseDeserialize: (bytes: Buffer) => bytes,
  },
};

export const certificateService: ServiceDefinition = {
  createCertificate: {
    path: CREATE_CERTIFICATE_PATH,
    requestStream: false,
    responseStream: false,
    requestSerialize: (request: CertificateRequest) => encodeCertificateRequest(request),
    requestDeserialize: decodeCertificateRequest,
    responseSerialize: (chain: readonly string[]) => encodeCertificateResponse(chain),
    responseDeserialize: (bytes: Buffer) => decodeCertificateResponse(bytes),
  },
};
