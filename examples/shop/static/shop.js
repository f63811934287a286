// What the shop does with the form: it goes on when the card is registered.
const place = document.getElementById("card");
const said = document.getElementById("said");

CCMS.cardForm({
  url: place.dataset.link,
  element: place,
  onSubmit: ({ registrationId, brand, last4 }) => {
    said.textContent = last4 ? `Thank you. Your ${brand} card ending in ${last4} is with us.` : "Thank you.";
    // The shop's server asks CCMS before it believes this.
    history.replaceState(null, "", `?registration_id=${encodeURIComponent(registrationId)}`);
  },
}).mount();
