/** Where the API server is and who we are there, by the rules of kubectl: @kubernetes/client-node reads the files and renews the tokens. */
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent, type RequestOptions } from 'node:https';
import { KubeConfig } from '@kubernetes/client-node';
import type { Access } from './transport.ts';

/** From a file, or from KUBECONFIG, ~/.kube/config or the pod's service account. Throws when there is none. */
export function loadAccess(kubeconfig: string | undefined): Access & { readonly namespace: string | undefined } {
  const config = new KubeConfig();
  if (kubeconfig) config.loadFromFile(kubeconfig);
  else config.loadFromDefault();
  const cluster = config.getCurrentCluster();
  if (!cluster)
    throw new Error(`${kubeconfig ?? 'kubeconfig'}: current-context: names no cluster; set one with kubectl config use-context`);
  // Its own agents close every connection after one request. Ours pool by certificate and authority, so that renewed ones get new connections.
  const agent = cluster.server.startsWith('http:') ? new HttpAgent({ keepAlive: true }) : new HttpsAgent({ keepAlive: true });
  return {
    server: cluster.server,
    namespace: config.getContextObject(config.getCurrentContext())?.namespace,
    options: async () => {
      const options: RequestOptions = {};
      await config.applyToHTTPSOptions(options);
      return cluster.proxyUrl ? options : { ...options, agent };
    },
  };
}
