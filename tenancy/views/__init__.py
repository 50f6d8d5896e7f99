"""The admin API, `/admin/v1`: the views, one noun each. They parse, ask and answer."""
