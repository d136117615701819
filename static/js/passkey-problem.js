// Says on the page that the browser gave no passkey, where allauth's script would only log it.
document.addEventListener('allauth.error', (event) => {
  const says = document.querySelector('[data-passkey-problem]');
  if (!says) return;
  event.preventDefault();
  says.hidden = false;
});
