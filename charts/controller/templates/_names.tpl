{{/* Image of every part. */}}
{{- define "controller.image" -}}
{{- with .Values.global.image -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "controller.name" -}}
ambient-controller
{{- end }}

{{- define "controller.selector" -}}
app.kubernetes.io/name: ambient-controller
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Of pods: where Prometheus finds their metrics, as far as it goes by annotations, and what the operator says. */}}
{{- define "controller.podAnnotations" -}}
{{- $scrape := dict -}}
{{- if .Values.global.scrapeAnnotations -}}
{{- $scrape = dict "prometheus.io/scrape" "true" "prometheus.io/port" "15020" "prometheus.io/path" "/stats/prometheus" -}}
{{- end -}}
{{- with mergeOverwrite $scrape (deepCopy .Values.podAnnotations) -}}
{{ toYaml . }}
{{- end -}}
{{- end }}

{{- define "controller.labels" -}}
{{ include "controller.selector" . }}
app.kubernetes.io/part-of: ambient-mesh
app.kubernetes.io/component: controller
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* How waypoints are made, as the controller reads it: what is set here, and what holds for the whole mesh. */}}
{{- define "controller.waypointTemplate" -}}
{{- $mesh := dict "imagePullPolicy" .Values.global.image.pullPolicy "imagePullSecrets" .Values.global.imagePullSecrets -}}
{{- if .Values.global.scrapeAnnotations -}}
{{- $scrape := dict "prometheus.io/scrape" "true" "prometheus.io/port" "15020" "prometheus.io/path" "/stats/prometheus" -}}
{{- $mesh = set $mesh "podAnnotations" $scrape -}}
{{- end -}}
{{ mergeOverwrite $mesh (deepCopy .Values.waypoint) | toJson }}
{{- end }}
