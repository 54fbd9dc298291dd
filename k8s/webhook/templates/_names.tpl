{{/* One name for all objects; that of a release that says it already is not said twice. */}}
{{- define "webhook.name" -}}
{{- if contains "tls-sidecar" .Release.Name -}}
{{ .Release.Name | trunc 50 | trimSuffix "-" }}-webhook
{{- else -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}-tls-sidecar-webhook
{{- end -}}
{{- end -}}

{{- define "webhook.selector" -}}
app.kubernetes.io/name: tls-sidecar-webhook
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "webhook.labels" -}}
{{ include "webhook.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: tls-sidecar
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "webhook.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ .image.tag | default .version }}
{{- end -}}
{{- end -}}

{{/* The Secret that the Pods mount. */}}
{{- define "webhook.secret" -}}
{{- if eq .Values.certificate.source "existing" -}}
{{ required "certificate.secret is not set: name the Secret of type kubernetes.io/tls" .Values.certificate.secret }}
{{- else -}}
{{ include "webhook.name" . }}-tls
{{- end -}}
{{- end -}}
