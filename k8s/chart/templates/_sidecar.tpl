{{/*
The sidecar for an app's own chart, which depends on this one:

  # Chart.yaml
  dependencies:
    - name: tls-sidecar
      version: 0.1.0
      repository: file://../tls-sidecar/k8s/chart      # or where you keep it

  # values.yaml
  tls-sidecar:
    secret: web-tls
    appPort: 3000

  # templates/deployment.yaml, in the Pod's spec
      enableServiceLinks: false
      terminationGracePeriodSeconds: 45
      initContainers:
        {{- include "tls-sidecar.initContainers" . | nindent 8 }}
      containers:
        - name: app
          lifecycle:
            {{- include "tls-sidecar.appLifecycle" . | nindent 12 }}
      volumes:
        {{- include "tls-sidecar.volumes" . | nindent 8 }}

  # templates/service.yaml
      targetPort: {{ include "tls-sidecar.targetPort" . }}

In redirect mode the app's own probes must go elsewhere than to its port: `tls-sidecar inject` writes them anew.
*/}}

{{/* The values, from the app's chart as from this one. */}}
{{- define "tls-sidecar.values" -}}
{{- $values := index .Values "tls-sidecar" | default dict -}}
{{- if not $values.secret -}}
{{- fail "tls-sidecar.secret is not set: name the Secret of type kubernetes.io/tls with the certificate" -}}
{{- end -}}
{{- if has (int $values.appPort) (list (int $values.port) (int $values.adminPort)) -}}
{{- fail (printf "tls-sidecar.appPort %v is the sidecar's own port: set tls-sidecar.port or tls-sidecar.adminPort to another" $values.appPort) -}}
{{- end -}}
{{- toYaml $values -}}
{{- end -}}

{{- define "tls-sidecar.image" -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default "0.1.0" }}
{{- end -}}
{{- end -}}

{{/* Where the Service leads. By number: the name of a native sidecar's port is found by Kubernetes 1.32 and later only. */}}
{{- define "tls-sidecar.targetPort" -}}
{{- $values := include "tls-sidecar.values" . | fromYaml -}}
{{- if eq $values.mode "redirect" }}{{ $values.appPort }}{{ else }}{{ $values.port }}{{ end -}}
{{- end -}}

{{/* New connections arrive for some seconds after a Pod began to terminate. Longer than the sidecar's drain delay. */}}
{{- define "tls-sidecar.appLifecycle" -}}
preStop:
  sleep:
    seconds: 8
{{- end -}}

{{- define "tls-sidecar.volumes" -}}
{{- $values := include "tls-sidecar.values" . | fromYaml -}}
- name: tls-sidecar-certs
  secret:
    secretName: {{ $values.secret }}
{{- end -}}

{{/* First of all init containers: the capture, then the sidecar, so that the others are behind both. */}}
{{- define "tls-sidecar.initContainers" -}}
{{- $values := include "tls-sidecar.values" . | fromYaml -}}
{{- if eq $values.mode "redirect" }}
{{- include "tls-sidecar.redirect" $values }}
{{ end -}}
- name: tls-sidecar
  image: {{ include "tls-sidecar.image" $values.image }}
  {{- with $values.image.pullPolicy }}
  imagePullPolicy: {{ . }}
  {{- end }}
  restartPolicy: Always
  env:
    - name: TLS_SIDECAR_LISTEN
      value: {{ printf ":%v" $values.port | quote }}
    - name: TLS_SIDECAR_ADMIN
      value: {{ printf ":%v" $values.adminPort | quote }}
    - name: TLS_SIDECAR_UPSTREAM
      value: {{ printf "http://localhost:%v" $values.appPort | quote }}
    {{- range $name, $value := $values.options }}
    - name: TLS_SIDECAR_{{ $name | upper | replace "-" "_" }}
      {{- /* A number comes as a float, which would be written as 1e+06. */}}
      value: {{ ternary ($value | int64) $value (kindIs "float64" $value) | toString | quote }}
    {{- end }}
  ports:
    - name: https
      containerPort: {{ $values.port }}
    - name: tls-metrics
      containerPort: {{ $values.adminPort }}
  startupProbe:
    httpGet:
      path: /startupz
      port: {{ $values.adminPort }}
    periodSeconds: 1
    timeoutSeconds: 3
    failureThreshold: 60
  readinessProbe:
    httpGet:
      path: /readyz
      port: {{ $values.adminPort }}
    periodSeconds: 5
    timeoutSeconds: 3
  livenessProbe:
    httpGet:
      path: /livez
      port: {{ $values.adminPort }}
    periodSeconds: 10
    timeoutSeconds: 3
    failureThreshold: 6
  lifecycle:
    preStop:
      exec:
        command: [/nodejs/bin/node, /app/proxy.js, drain]
  securityContext:
    runAsUser: 65532
    runAsGroup: 65532
    runAsNonRoot: true
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities:
      drop: [ALL]
    seccompProfile:
      type: RuntimeDefault
  resources:
    {{- toYaml $values.resources | nindent 4 }}
  terminationMessagePolicy: FallbackToLogsOnError
  volumeMounts:
    - name: tls-sidecar-certs
      mountPath: /etc/tls-sidecar/certs
      readOnly: true
{{- end -}}

{{- define "tls-sidecar.redirect" -}}
- name: tls-sidecar-init
  image: {{ include "tls-sidecar.image" .initImage }}
  {{- with .initImage.pullPolicy }}
  imagePullPolicy: {{ . }}
  {{- end }}
  env:
    - name: REDIRECT
      value: {{ printf "%v:%v" .appPort .port | quote }}
    - name: POD_IP
      valueFrom:
        fieldRef:
          fieldPath: status.podIP
    - name: HOST_IP
      valueFrom:
        fieldRef:
          fieldPath: status.hostIP
  securityContext:
    runAsUser: 0
    runAsNonRoot: false
    privileged: false
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities:
      drop: [ALL]
      add: [NET_ADMIN]
    seccompProfile:
      type: RuntimeDefault
  resources:
    requests:
      cpu: 10m
      memory: 16Mi
    limits:
      memory: 64Mi
  terminationMessagePolicy: FallbackToLogsOnError
{{- end -}}
