// The card form on a page of its own.

import { start } from "./_card";

const form = document.querySelector<HTMLFormElement>("form.card-form");
if (form) start(form);
