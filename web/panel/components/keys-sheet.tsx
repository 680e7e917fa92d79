// All keys, on `?`.
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Icon } from "../../shared/icons";
import { panel as t } from "../../shared/words";

export function KeysSheet({ onClose }: { onClose: () => void }): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog ref={dialog} class="keys" aria-label={t.keys.title} onClose={onClose}>
      <div class="wrapup-head">
        <h2>{t.keys.title}</h2>
        <button class="icon-button" aria-label={t.close} title={t.close} onClick={onClose}>
          <Icon name="close" />
        </button>
      </div>
      <dl>
        {t.keys.rows.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <p class="quiet">{t.keys.hint}</p>
    </dialog>
  );
}
