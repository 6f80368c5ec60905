# The Vertex side of docs/cloud.md: services, bucket, image repository, service account and roles.
#   terraform init && terraform apply -var project=my-project -var bucket=my-bucket

terraform {
  required_version = ">= 1.5"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 6.0"
    }
  }
}

variable "project" {
  type        = string
  description = "id of the project: vertex.project"
}

variable "region" {
  type        = string
  default     = "us-central1"
  description = "region of everything: vertex.region"
}

variable "bucket" {
  type        = string
  description = "name of the bucket of data, artifacts and models: root and data_root"
}

variable "submitters" {
  type        = list(string)
  default     = []
  description = "who may submit runs, such as user:name@example.com"
}

provider "google" {
  project = var.project
  region  = var.region
}

resource "google_project_service" "api" {
  for_each = toset([
    "aiplatform.googleapis.com",
    "artifactregistry.googleapis.com",
    "cloudbuild.googleapis.com",
    "compute.googleapis.com",
    "dataflow.googleapis.com",
    "storage.googleapis.com",
  ])
  service            = each.value
  disable_on_destroy = false
}

resource "google_storage_bucket" "higgs" {
  name                        = var.bucket
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  depends_on                  = [google_project_service.api]
}

resource "google_artifact_registry_repository" "higgs" {
  repository_id = "higgs"
  location      = var.region
  format        = "DOCKER"
  depends_on    = [google_project_service.api]
}

resource "google_service_account" "higgs" {
  account_id   = "higgs"
  display_name = "Nodes of the HIGGS pipeline"
}

resource "google_project_iam_member" "nodes" {
  for_each = toset([
    "roles/aiplatform.user",
    "roles/dataflow.admin",
    "roles/dataflow.worker",
    "roles/artifactregistry.reader",
    "roles/logging.logWriter",
  ])
  project = var.project
  role    = each.value
  member  = google_service_account.higgs.member
}

resource "google_storage_bucket_iam_member" "nodes" {
  for_each = toset(["roles/storage.objectAdmin", "roles/storage.legacyBucketReader"])
  bucket   = google_storage_bucket.higgs.name
  role     = each.value
  member   = google_service_account.higgs.member
}

# The nodes start the custom job and the Dataflow jobs under their own name.
resource "google_service_account_iam_member" "as_itself" {
  service_account_id = google_service_account.higgs.name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.higgs.member
}

resource "google_service_account_iam_member" "submitters" {
  for_each           = toset(var.submitters)
  service_account_id = google_service_account.higgs.name
  role               = "roles/iam.serviceAccountUser"
  member             = each.value
}

resource "google_project_iam_member" "submitters" {
  for_each = toset(var.submitters)
  project  = var.project
  role     = "roles/aiplatform.user"
  member   = each.value
}
