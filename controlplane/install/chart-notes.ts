/** What Helm prints after it installed a chart, by the chart's folder. */
export const notes: Readonly<Record<string, string>> = {
  base: `The kinds of Istio's API and Scrim's are known to the cluster now.
Helm makes them once and does not touch them again: after an upgrade
    kubectl apply --server-side -f deploy/crds
Next: the control plane
    helm install istiod deploy/charts/control-plane --namespace {{ .Release.Namespace }} --wait
`,
  "control-plane": `The control plane{{ with .Values.revision }} {{ . }}{{ end }} runs in {{ .Release.Namespace }}.
Pods of a namespace get a proxy when they start next:
{{- if .Values.revision }}
    kubectl label namespace default istio.io/rev={{ .Values.revision }}
{{- else }}
    kubectl label namespace default istio-injection=enabled
{{- end }}
Whether it answers:
    helm test {{ .Release.Name }} --namespace {{ .Release.Namespace }}
`,
  gateway: `The gateway {{ .Values.name }} runs in {{ .Release.Namespace }}. Its address:
    kubectl get service {{ .Values.name }} --namespace {{ .Release.Namespace }}
What it listens for a Gateway says that selects it:
    selector: {istio: {{ .Values.istioLabel }}}
`,
};
